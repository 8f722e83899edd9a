// SPDX-License-Identifier: GPL-2.0

//! Lists of pipes for seq files, one line per pipe.

use core::marker::PhantomData;
use kernel::{
    seq_file::SeqFile,
    sync::{
        Arc,
        ArcBorrow, //
    },
};

use super::registry;
use crate::{
    kernel_ext::dev::seq::List,
    pipe::Pipe, //
};

/// A format for the lines of pipes.
pub(crate) trait LineFormat: 'static {
    /// Writes the line of a pipe.
    fn write(pipe: &Pipe, file: &SeqFile);
}

/// All pipes, ordered by number, each with a line in the format `L`.
pub(crate) struct Pipes<L>(PhantomData<L>);

impl<L: LineFormat> List for Pipes<L> {
    type Item = Arc<Pipe>;

    fn at_or_after(number: u32) -> Option<Arc<Pipe>> {
        registry::at_or_after(number)
    }

    fn number(pipe: ArcBorrow<'_, Pipe>) -> u32 {
        pipe.id()
    }

    fn show(pipe: ArcBorrow<'_, Pipe>, file: &SeqFile) {
        L::write(&pipe, file);
    }
}
