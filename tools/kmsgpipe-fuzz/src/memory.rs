// SPDX-License-Identifier: GPL-2.0

//! Memory to pass to the kernel: some that is there, some that is not, and where one becomes the
//! other.

use crate::rng::Rng;
use nix::libc;
use std::{ptr, slice};

/// The bytes that can be read and written.
const SIZE: usize = 512 << 10;

/// The bytes that can only be read.
const READ_ONLY: usize = 128 << 10;

/// The bytes behind both that cannot be accessed at all.
const HOLE: usize = 64 << 10;

/// An address that may be passed to the kernel to write to: nothing that Rust knows of is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(usize);

impl Address {
    /// As system calls take it.
    pub fn get(self) -> usize {
        self.0
    }

    /// So many bytes further on.
    pub fn plus(self, bytes: usize) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// Where no program has memory.
    pub const NOWHERE: Self = Self(8);

    /// Where the kernel has its own.
    pub const KERNEL: Self = Self(0xffff_8880_0000_1000);
}

/// Memory for one call.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Where it begins.
    pub at: Address,
    /// How many bytes can be accessed.
    pub good: usize,
    /// It is in the part of the address space that programs have.
    pub user: bool,
}

/// One mapping: what can be accessed, then what cannot.
pub struct Arena {
    base: usize,
    read_only: usize,
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

impl Arena {
    /// Maps the memory, all of it present.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn new() -> Self {
        Self {
            base: map(SIZE, libc::PROT_READ | libc::PROT_WRITE),
            read_only: map(READ_ONLY, libc::PROT_READ),
        }
    }

    /// The address of a byte that is there.
    pub fn at(&self, offset: usize) -> Address {
        assert!(offset <= SIZE, "{offset}");
        Address(self.base + offset)
    }

    /// Where there is no memory any more; before it there is.
    pub fn end(&self) -> Address {
        Address(self.base + SIZE)
    }

    /// Any place for `len` bytes, mostly a good one. `written` says whether the kernel writes to it.
    pub fn place(&self, rng: &mut Rng, len: usize, written: bool) -> Place {
        // Room may be asked for that no message needs.
        let len = len.min(SIZE);
        let place = |at, good, user| Place { at, good, user };
        match rng.below(48) {
            0 => place(Address::NOWHERE, 0, true),
            1 => place(Address::KERNEL, 0, false),
            2 | 3 => {
                let good = rng.index(len + 1);
                place(Address(self.base + SIZE - good), good, true)
            }
            4 if written => place(Address(self.read_only), 0, true),
            5 | 6 => place(Address(self.base + SIZE - len), len, true),
            7..10 => place(self.at(rng.index(4096)), SIZE / 2, true),
            _ => place(self.at(0), SIZE / 2, true),
        }
    }

    /// Whether all `len` bytes are ones that [`Arena::store`] may write.
    fn check(&self, at: Address, len: usize) {
        let end = at.0.checked_add(len).expect("an address");
        assert!(
            at.0 >= self.base && end <= self.base + SIZE,
            "{at:?} and {len} bytes"
        );
    }

    /// Writes.
    pub fn store(&mut self, at: Address, bytes: &[u8]) {
        self.check(at, bytes.len());
        // SAFETY: It was just checked that this is within the mapping, to which nobody holds a
        // reference longer than a call of this type.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at.0 as *mut u8, bytes.len()) };
    }

    /// Whether `bytes` are there.
    pub fn holds(&self, at: Address, bytes: &[u8]) -> bool {
        self.check(at, bytes.len());
        // SAFETY: As in `store`; mapped memory is initialised.
        (unsafe { slice::from_raw_parts(at.0 as *const u8, bytes.len()) }) == bytes
    }

    /// A copy of what is there.
    pub fn bytes(&self, at: Address, len: usize) -> Vec<u8> {
        self.check(at, len);
        // SAFETY: As in `holds`.
        unsafe { slice::from_raw_parts(at.0 as *const u8, len) }.to_vec()
    }

    /// Writes a structure of the header, as far as `good` bytes go.
    pub fn put<T: Plain>(&mut self, at: Address, value: &T, good: usize) {
        // SAFETY: By the safety requirements of `Plain` all bytes of it are initialised.
        let bytes =
            unsafe { slice::from_raw_parts(ptr::from_ref(value).cast::<u8>(), size_of::<T>()) };
        self.store(at, &bytes[..bytes.len().min(good)]);
    }

    /// Reads a structure of the header.
    pub fn get<T: Plain>(&self, at: Address) -> T {
        self.check(at, size_of::<T>());
        // SAFETY: It was just checked that this is within the mapping; any bytes make a valid `T`.
        unsafe { ptr::read_unaligned(at.0 as *const T) }
    }
}

/// Maps `size` bytes, present, and the hole behind them.
fn map(size: usize, protection: i32) -> usize {
    // SAFETY: A new mapping overlaps nothing, and the change of its beginning is within it.
    unsafe {
        let base = libc::mmap(
            ptr::null_mut(),
            size + HOLE,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(base, libc::MAP_FAILED);
        assert_eq!(libc::mprotect(base, size, protection), 0);
        libc::madvise(base, size, libc::MADV_POPULATE_READ);
        if protection & libc::PROT_WRITE != 0 {
            ptr::write_bytes(base.cast::<u8>(), 0, size);
        }
        base as usize
    }
}

/// A type without padding, of which any bytes are a value.
///
/// # Safety
///
/// As it says.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty),*) => {
        $(
            // SAFETY: It consists of integers without padding, as the header's own check says.
            unsafe impl Plain for $type {}
        )*
    };
}

plain!(
    i32,
    u32,
    kmsgpipe_sys::raw::kmsgpipe_stats,
    kmsgpipe_sys::raw::kmsgpipe_params,
    kmsgpipe_sys::raw::kmsgpipe_flush,
    kmsgpipe_sys::raw::kmsgpipe_create,
    kmsgpipe_sys::raw::kmsgpipe_record,
    kmsgpipe_sys::raw::kmsgpipe_dump
);
