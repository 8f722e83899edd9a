// SPDX-License-Identifier: GPL-2.0

//! Memory to pass to the kernel: accessible, inaccessible, and at the boundary between both.

use crate::rng::Rng;
use nix::libc;
use std::{ptr, slice};

/// Size of the writable memory.
const SIZE: usize = 512 << 10;

/// Size of the read-only memory.
const READ_ONLY: usize = 128 << 10;

/// Size of the inaccessible memory after each of them.
const HOLE: usize = 64 << 10;

/// An address that the kernel may write to, because no Rust object is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(usize);

impl Address {
    /// Returns the address for a system call.
    pub fn get(self) -> usize {
        self.0
    }

    /// Adds an offset.
    pub fn plus(self, bytes: usize) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// An address that is never mapped.
    pub const NOWHERE: Self = Self(8);

    /// An address in the kernel's part of the address space.
    pub const KERNEL: Self = Self(0xffff_8880_0000_1000);
}

/// Memory for one call.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Start address.
    pub at: Address,
    /// Number of accessible bytes.
    pub good: usize,
    /// Whether it is in the user part of the address space.
    pub user: bool,
}

/// A mapping with accessible memory, followed by inaccessible memory.
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
    /// Maps the memory and populates it.
    ///
    /// # Panics
    ///
    /// The mapping fails.
    pub fn new() -> Self {
        Self {
            base: map(SIZE, libc::PROT_READ | libc::PROT_WRITE),
            read_only: map(READ_ONLY, libc::PROT_READ),
        }
    }

    /// Returns the address of an accessible byte.
    pub fn at(&self, offset: usize) -> Address {
        assert!(offset <= SIZE, "{offset}");
        Address(self.base + offset)
    }

    /// Returns the end of the accessible memory.
    pub fn end(&self) -> Address {
        Address(self.base + SIZE)
    }

    /// Returns a random place for `len` bytes, usually a valid one. `written` says whether the kernel writes
    /// to it.
    pub fn place(&self, rng: &mut Rng, len: usize, written: bool) -> Place {
        // A buffer may be requested that is larger than any message.
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

    /// Panics unless `len` bytes are in memory that [`Arena::store`] may write.
    fn check(&self, at: Address, len: usize) {
        let end = at.0.checked_add(len).expect("an address");
        assert!(
            at.0 >= self.base && end <= self.base + SIZE,
            "{at:?} and {len} bytes"
        );
    }

    /// Writes bytes.
    pub fn store(&mut self, at: Address, bytes: &[u8]) {
        self.check(at, bytes.len());
        // SAFETY: The range was just checked to be within the mapping, and no reference to it outlives a call
        // of this type.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at.0 as *mut u8, bytes.len()) };
    }

    /// Returns whether the memory contains `bytes`.
    pub fn holds(&self, at: Address, bytes: &[u8]) -> bool {
        self.check(at, bytes.len());
        // SAFETY: The range is checked as in `store`, and mapped memory is initialised.
        (unsafe { slice::from_raw_parts(at.0 as *const u8, bytes.len()) }) == bytes
    }

    /// Returns a copy of the memory.
    pub fn bytes(&self, at: Address, len: usize) -> Vec<u8> {
        self.check(at, len);
        // SAFETY: The range is checked as in `store`, and mapped memory is initialised.
        unsafe { slice::from_raw_parts(at.0 as *const u8, len) }.to_vec()
    }

    /// Writes the first `good` bytes of a structure of the header.
    pub fn put<T: Plain>(&mut self, at: Address, value: &T, good: usize) {
        // SAFETY: `Plain` guarantees that all bytes are initialised.
        let bytes =
            unsafe { slice::from_raw_parts(ptr::from_ref(value).cast::<u8>(), size_of::<T>()) };
        self.store(at, &bytes[..bytes.len().min(good)]);
    }

    /// Reads a structure of the header.
    pub fn get<T: Plain>(&self, at: Address) -> T {
        self.check(at, size_of::<T>());
        // SAFETY: The range was just checked to be within the mapping, and any bytes are a valid `T`.
        unsafe { ptr::read_unaligned(at.0 as *const T) }
    }
}

/// Maps `size` populated bytes, followed by inaccessible memory.
fn map(size: usize, protection: i32) -> usize {
    // SAFETY: A new mapping does not overlap others, and only its start is made accessible.
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

/// A type without padding for which any bytes are valid.
///
/// # Safety
///
/// The type must have no padding, and any bytes must be a valid value.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty),*) => {
        $(
            // SAFETY: All fields are integers, and the header's static assertions rule out padding.
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
