// SPDX-License-Identifier: GPL-2.0

//! Lists of pipes and of subscriptions for seq files, one line each.

use core::marker::PhantomData;
use kernel::{
    seq_file::{
        seq_print,
        SeqFile, //
    },
    sync::{
        Arc,
        ArcBorrow, //
    },
};

use super::registry;
use crate::{
    kernel_ext::dev::seq::List,
    pipe::{
        Pipe,
        Reads, //
    }, //
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

    fn at_or_after(number: u64) -> Option<(u64, Arc<Pipe>)> {
        let pipe = registry::at_or_after(u32::try_from(number).ok()?)?;
        Some((pipe.id().into(), pipe))
    }

    fn show(pipe: ArcBorrow<'_, Pipe>, _number: u64, file: &SeqFile) {
        L::write(&pipe, file);
    }
}

/// The number of bits that the number of a subscription takes in its place of the list. No pipe
/// ever has more subscriptions.
const SUBSCRIPTION_BITS: u32 = 47;

/// All subscriptions, ordered by the number of their pipe and their own. Each is looked up with the
/// lock of its pipe held, which is then released: a list of many delays no message.
pub(crate) struct Subscriptions;

impl List for Subscriptions {
    type Item = Arc<Pipe>;

    fn at_or_after(number: u64) -> Option<(u64, Arc<Pipe>)> {
        let mut id = u32::try_from(number >> SUBSCRIPTION_BITS).ok()?;
        let mut subscription = number & !(u64::MAX << SUBSCRIPTION_BITS);
        loop {
            let pipe = registry::at_or_after(id)?;
            if pipe.id() != id {
                subscription = 0;
            }
            id = pipe.id();
            if let Some(shown) = pipe.subscription_at_or_after(subscription) {
                return Some((u64::from(id) << SUBSCRIPTION_BITS | shown.number, pipe));
            }
            subscription = 0;
            id = id.checked_add(1)?;
        }
    }

    fn show(pipe: ArcBorrow<'_, Pipe>, number: u64, file: &SeqFile) {
        let number = number & !(u64::MAX << SUBSCRIPTION_BITS);
        // Unless it has ended since it was looked up.
        let shown = pipe.subscription_at_or_after(number);
        let Some(shown) = shown.filter(|shown| shown.number == number) else {
            return;
        };
        let subscription = shown.subscription;
        seq_print!(file, "pipe{}: name=", pipe.id());
        if let Some(name) = pipe.node().name {
            seq_print!(file, "{}", format_args!("{name}"));
        }
        // Only a group has a name, and more than one open file.
        let kind = Reads::Position(subscription.kind()).as_str();
        seq_print!(
            file,
            ", subscription={number}, kind={kind}, group=, files=1"
        );
        for (key, value) in [
            ("next_seq", subscription.next_seq()),
            ("published", shown.published),
            ("received", subscription.received()),
            ("lost", subscription.lost()),
            ("expired", subscription.expired()),
            ("lag", shown.lag),
        ] {
            seq_print!(file, ", {key}={value}");
        }
        seq_print!(file, "\n");
    }
}
