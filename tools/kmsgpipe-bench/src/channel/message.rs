// SPDX-License-Identifier: GPL-2.0

//! Memory for one message.

use nix::libc;
use std::slice;

/// Page size.
const PAGE: usize = 4096;

/// A page of memory.
#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Page([u8; PAGE]);

/// A buffer for one message that starts at a page boundary and is populated. Before it is space for the type
/// of a System V message.
pub struct Message {
    pages: Box<[Page]>,
    size: usize,
}

/// Size of the type of a System V message.
const TYPE: usize = size_of::<libc::c_long>();

impl Message {
    /// Creates a buffer of `size` bytes.
    pub fn new(size: usize) -> Self {
        let pages = vec![Page([1; PAGE]); 1 + size.div_ceil(PAGE)];
        let mut pages = pages.into_boxed_slice();
        pages[0].0[PAGE - TYPE..].copy_from_slice(&(1 as libc::c_long).to_ne_bytes());
        Self { pages, size }
    }

    /// Returns the start of the message.
    #[inline(always)]
    pub fn at(&self) -> *const u8 {
        self.pages.as_ptr().cast::<u8>().wrapping_add(PAGE)
    }

    /// Returns the start of the message for writing.
    #[inline(always)]
    pub fn at_mut(&mut self) -> *mut u8 {
        self.pages.as_mut_ptr().cast::<u8>().wrapping_add(PAGE)
    }

    /// Returns the start of the type.
    #[inline(always)]
    pub fn with_type(&self) -> *const u8 {
        self.at().wrapping_sub(TYPE)
    }

    /// Returns the start of the type for writing.
    #[inline(always)]
    pub fn with_type_mut(&mut self) -> *mut u8 {
        self.at_mut().wrapping_sub(TYPE)
    }

    /// Returns the message size.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.size
    }

    /// Returns the message.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: The pages after the first are initialised, at least `size` bytes long, and borrowed.
        unsafe { slice::from_raw_parts(self.at(), self.size) }
    }

    /// Returns the message for writing.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let size = self.size;
        // SAFETY: The pages after the first are initialised, at least `size` bytes long, and mutably borrowed.
        unsafe { slice::from_raw_parts_mut(self.at_mut(), size) }
    }
}
