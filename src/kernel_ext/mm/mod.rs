// SPDX-License-Identifier: GPL-2.0

//! Memory for data of any length: segments of one page, chains of them, and copies between
//! sequences of byte slices.

pub(crate) mod chain;
mod chain_tests;
pub(crate) mod indexed;
mod indexed_tests;
pub(crate) mod pieces;
pub(crate) mod segment;
pub(crate) mod words;
