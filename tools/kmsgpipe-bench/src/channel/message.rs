// SPDX-License-Identifier: GPL-2.0

//! Memory for one message.

use nix::libc;
use std::slice;

/// What a page holds.
const PAGE: usize = 4096;

/// A page of memory.
#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Page([u8; PAGE]);

/// Room for one message at the beginning of a page, all of it present; before it there is room for the
/// type that a System V message has.
pub struct Message {
    pages: Box<[Page]>,
    size: usize,
}

/// The length of a System V message's type.
const TYPE: usize = size_of::<libc::c_long>();

impl Message {
    /// One of `size` bytes.
    pub fn new(size: usize) -> Self {
        let pages = vec![Page([1; PAGE]); 1 + size.div_ceil(PAGE)];
        let mut pages = pages.into_boxed_slice();
        pages[0].0[PAGE - TYPE..].copy_from_slice(&(1 as libc::c_long).to_ne_bytes());
        Self { pages, size }
    }

    /// Where it begins.
    #[inline(always)]
    pub fn at(&self) -> *const u8 {
        self.pages.as_ptr().cast::<u8>().wrapping_add(PAGE)
    }

    /// Where it begins, to write to.
    #[inline(always)]
    pub fn at_mut(&mut self) -> *mut u8 {
        self.pages.as_mut_ptr().cast::<u8>().wrapping_add(PAGE)
    }

    /// Where its type begins.
    #[inline(always)]
    pub fn with_type(&self) -> *const u8 {
        self.at().wrapping_sub(TYPE)
    }

    /// Where its type begins, to write to.
    #[inline(always)]
    pub fn with_type_mut(&mut self) -> *mut u8 {
        self.at_mut().wrapping_sub(TYPE)
    }

    /// Its length.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.size
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: The pages behind the first are at least `size` bytes, initialised, and borrowed.
        unsafe { slice::from_raw_parts(self.at(), self.size) }
    }

    /// Its bytes, to change them.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let size = self.size;
        // SAFETY: As in `bytes`; and borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.at_mut(), size) }
    }
}
