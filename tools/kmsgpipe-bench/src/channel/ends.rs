// SPDX-License-Identifier: GPL-2.0

//! Ends that are file descriptors: files with `write` and `read`, sockets with `send` and `recv`.
//!
//! System calls are made directly. The wrappers of the C library are not a cost of the kernel, and their cost
//! varies: in glibc 2.41, `read` takes 13 to 15 instructions more than `syscall`.

use super::{message::Message, Receiver, Sender};
use nix::libc;
use std::{
    marker::PhantomData,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

/// An owner of a descriptor.
pub trait Open: AsRawFd + Send + Sync + 'static {}

impl<T: AsRawFd + Send + Sync + 'static> Open for T {}

/// A system call that sends or receives one message.
pub trait Call: Send + 'static {
    /// Makes the call, and returns its result, or -1.
    ///
    /// # Safety
    ///
    /// The `len` bytes at `at` must be valid and not accessed otherwise during the call.
    unsafe fn call(fd: i32, at: *mut u8, len: usize) -> isize;
}

/// A call that sends.
pub trait Out: Call {}

/// A call that receives.
pub trait In: Call {}

/// Defines a type for a call of one direction.
macro_rules! call {
    ($name:ident, $way:ident, $doc:literal, $call:ident $(, $more:expr)*) => {
        #[doc = concat!("`", $doc, "`.")]
        pub struct $name;

        impl $way for $name {}

        impl Call for $name {
            #[inline(always)]
            unsafe fn call(fd: i32, at: *mut u8, len: usize) -> isize {
                // SAFETY: Guaranteed by the caller.
                unsafe { libc::syscall(libc::$call, fd, at, len $(, $more)*) as isize }
            }
        }
    };
}

/// A null pointer.
pub const NOWHERE: *mut libc::c_void = std::ptr::null_mut();

call!(WriteCall, Out, "write", SYS_write);
call!(ReadCall, In, "read", SYS_read);
call!(SendCall, Out, "send", SYS_sendto, 0, NOWHERE, 0);
call!(RecvCall, In, "recv", SYS_recvfrom, 0, NOWHERE, NOWHERE);

/// One end of a channel.
pub struct End<T, C> {
    file: Arc<T>,
    fd: i32,
    message: Message,
    call: PhantomData<C>,
}

/// Sends with `write`.
pub type FileSender<T = OwnedFd> = End<T, WriteCall>;
/// Receives with `read`.
pub type FileReceiver<T = OwnedFd> = End<T, ReadCall>;
/// Sends with `send`.
pub type SocketSender = End<OwnedFd, SendCall>;
/// Receives with `recv`.
pub type SocketReceiver = End<OwnedFd, RecvCall>;

impl<T: Open, C: Call> End<T, C> {
    /// Creates an end for messages of `size` bytes.
    pub fn new(file: T, size: usize) -> Self {
        Self::of(Arc::new(file), size)
    }

    /// Creates an end that shares its file.
    pub fn of(file: Arc<T>, size: usize) -> Self {
        Self {
            fd: file.as_raw_fd(),
            file,
            message: Message::new(size),
            call: PhantomData,
        }
    }

    /// Returns the file.
    pub fn file(&self) -> &T {
        &self.file
    }

    /// Returns the descriptor.
    pub fn fd(&self) -> i32 {
        self.fd
    }

    /// Transfers one message, and returns whether it was complete.
    #[inline(always)]
    fn go(&mut self) -> bool {
        let len = self.message.len();
        // SAFETY: The pointer and length are those of the message, which is mutably borrowed.
        let ret = unsafe { C::call(self.fd, self.message.at_mut(), len) };
        ret == len as isize
    }

    /// Returns another end of the same file.
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
