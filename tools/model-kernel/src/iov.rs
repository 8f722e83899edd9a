// SPDX-License-Identifier: GPL-2.0

//! User memory: where a message comes from, or goes to. It can be absent.

/// How user memory behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Behaviour {
    /// How many copies without page faults find some of it absent, even after it was brought in.
    pub absent: u32,
    /// How often it can be brought in; none if always.
    pub left: Option<u32>,
}

impl Behaviour {
    /// Says whether a copy without page faults finds the memory.
    pub fn is_present(&mut self) -> bool {
        let present = self.absent == 0;
        self.absent = self.absent.saturating_sub(1);
        present
    }

    /// Says whether the memory can be brought in now, which may take long.
    pub fn bring_in(&mut self) -> bool {
        crate::model::assert_unlocked("a page fault");
        let can = self.left != Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        can
    }
}

/// Memory that a message is read from.
#[derive(Debug)]
pub struct IovIterSource<'data> {
    /// All of it.
    pub data: &'data [u8],
    /// How much of it was read, in bytes.
    pub at: usize,
    /// How it behaves.
    pub behaviour: Behaviour,
}

impl IovIterSource<'_> {
    /// The number of bytes that are left.
    #[expect(clippy::len_without_is_empty, reason = "as in the kernel")]
    pub fn len(&self) -> usize {
        self.data.len() - self.at
    }
}

/// Memory that a message is written to.
#[derive(Debug)]
pub struct IovIterDest<'data> {
    /// What was written.
    pub written: Vec<u8>,
    /// How much fits, in bytes.
    pub room: usize,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// Nothing is borrowed.
    pub lifetime: core::marker::PhantomData<&'data mut [u8]>,
}

impl IovIterDest<'_> {
    /// The number of bytes for which there is room.
    #[expect(clippy::len_without_is_empty, reason = "as in the kernel")]
    pub fn len(&self) -> usize {
        self.room - self.written.len()
    }
}
