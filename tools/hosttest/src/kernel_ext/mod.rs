// SPDX-License-Identifier: GPL-2.0

//! The pure files of `kernel_ext`, and stand-ins for what they need of the others.

#[path = "."]
pub(crate) mod mm {
    #[path = "../../../../src/kernel_ext/mm/chain.rs"]
    #[rustfmt::skip]
    pub(crate) mod chain;
    #[path = "../../../../src/kernel_ext/mm/chain_tests.rs"]
    #[rustfmt::skip]
    mod chain_tests;
    #[path = "../../../../src/kernel_ext/mm/indexed.rs"]
    #[rustfmt::skip]
    pub(crate) mod indexed;
    #[path = "../../../../src/kernel_ext/mm/indexed_tests.rs"]
    #[rustfmt::skip]
    mod indexed_tests;
    #[path = "../../../../src/kernel_ext/mm/pieces.rs"]
    #[rustfmt::skip]
    pub(crate) mod pieces;
    #[path = "../segment.rs"]
    pub(crate) mod segment;
    #[path = "../../../../src/kernel_ext/mm/words.rs"]
    #[rustfmt::skip]
    pub(crate) mod words;
}
#[path = "."]
pub(crate) mod sync {
    #[path = "../../../../src/kernel_ext/sync/fifo.rs"]
    #[rustfmt::skip]
    pub(crate) mod fifo;
}
#[path = "../../../../src/kernel_ext/text.rs"]
#[rustfmt::skip]
pub(crate) mod text;
