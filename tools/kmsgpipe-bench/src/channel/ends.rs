// SPDX-License-Identifier: GPL-2.0

//! Ends that are file descriptors: of files with `write` and `read`, of sockets with `send` and `recv`.
//!
//! System calls are made by number. What the C library does around `read` and its like is no cost of
//! the kernel's, and differs: in glibc 2.41 it takes 13 to 15 instructions more than `syscall` does.

use super::{message::Message, Receiver, Sender};
use nix::libc;
use std::{
    marker::PhantomData,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

/// What holds a descriptor open.
pub trait Open: AsRawFd + Send + Sync + 'static {}

impl<T: AsRawFd + Send + Sync + 'static> Open for T {}

/// A system call that moves one message, either way.
pub trait Call: Send + 'static {
    /// Makes it, and returns what the kernel does, or -1.
    ///
    /// # Safety
    ///
    /// `len` bytes at `at` are nobody else's.
    unsafe fn call(fd: i32, at: *mut u8, len: usize) -> isize;
}

/// A call that sends.
pub trait Out: Call {}

/// A call that receives.
pub trait In: Call {}

/// Makes a type of a call that goes one way.
macro_rules! call {
    ($name:ident, $way:ident, $doc:literal, $call:ident $(, $more:expr)*) => {
        #[doc = concat!("`", $doc, "`.")]
        pub struct $name;

        impl $way for $name {}

        impl Call for $name {
            #[inline(always)]
            unsafe fn call(fd: i32, at: *mut u8, len: usize) -> isize {
                // SAFETY: By the safety requirements of the method.
                unsafe { libc::syscall(libc::$call, fd, at, len $(, $more)*) as isize }
            }
        }
    };
}

/// No address.
pub const NOWHERE: *mut libc::c_void = std::ptr::null_mut();

call!(WriteCall, Out, "write", SYS_write);
call!(ReadCall, In, "read", SYS_read);
call!(SendCall, Out, "send", SYS_sendto, 0, NOWHERE, 0);
call!(RecvCall, In, "recv", SYS_recvfrom, 0, NOWHERE, NOWHERE);

/// One end.
pub struct End<T, C> {
    file: Arc<T>,
    fd: i32,
    message: Message,
    call: PhantomData<C>,
}

/// Sends by `write`.
pub type FileSender<T = OwnedFd> = End<T, WriteCall>;
/// Receives by `read`.
pub type FileReceiver<T = OwnedFd> = End<T, ReadCall>;
/// Sends by `send`.
pub type SocketSender = End<OwnedFd, SendCall>;
/// Receives by `recv`.
pub type SocketReceiver = End<OwnedFd, RecvCall>;

impl<T: Open, C: Call> End<T, C> {
    /// One for messages of `size` bytes.
    pub fn new(file: T, size: usize) -> Self {
        Self::of(Arc::new(file), size)
    }

    /// One of a file that others may have, too.
    pub fn of(file: Arc<T>, size: usize) -> Self {
        Self {
            fd: file.as_raw_fd(),
            file,
            message: Message::new(size),
            call: PhantomData,
        }
    }

    /// Its descriptor.
    pub fn fd(&self) -> i32 {
        self.fd
    }

    /// Moves one message; whether it was whole.
    #[inline(always)]
    fn go(&mut self) -> bool {
        let len = self.message.len();
        // SAFETY: The message is as long as is said, and borrowed mutably.
        let ret = unsafe { C::call(self.fd, self.message.at_mut(), len) };
        ret == len as isize
    }

    /// Another end of the same file.
    fn another(&self) -> Self {
        Self::of(Arc::clone(&self.file), self.message.len())
    }
}

impl<T: Open, C: Out> Sender for End<T, C> {
    fn message(&mut self) -> &mut [u8] {
        self.message.bytes_mut()
    }

    #[inline(always)]
    fn send(&mut self) -> bool {
        self.go()
    }

    fn twin(&self) -> Self {
        self.another()
    }
}

impl<T: Open, C: In> Receiver for End<T, C> {
    fn message(&self) -> &[u8] {
        self.message.bytes()
    }

    #[inline(always)]
    fn receive(&mut self) -> bool {
        self.go()
    }

    fn twin(&self) -> Self {
        self.another()
    }
}
