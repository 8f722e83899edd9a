// SPDX-License-Identifier: GPL-2.0

//! `/sys/class/kmsgpipe`: two files that create and destroy pipes, and a directory for each pipe
//! with one value per file.
//!
//! `docs/ABI/testing/sysfs-class-kmsgpipe` describes the files.

use kernel::{
    fmt::{
        self,
        Write, //
    },
    prelude::*,
    str::Formatter,
    sync::Arc, //
};

use super::{
    registry,
    request::Request, //
};

use crate::{
    kernel_ext::{
        cred,
        dev::{
            attribute::{
                ClassCommand,
                DeviceAttribute, //
            },
            device::{
                ClassDevice,
                HasNode, //
            }, //
        },
        text::number, //
    },
    pipe::{
        kind::Kind,
        mode::Modes,
        name::PipeId,
        overflow::Overflow,
        Expiry,
        Pipe,
        Snapshot,
        Spec, //
    }, //
};

/// Defines a read-only attribute whose value is a number from a snapshot of the pipe.
macro_rules! value {
    ($name:literal, $snapshot:ident => $value:expr) => {
        DeviceAttribute::read_only($name, |pipe, f| show(pipe, f, |$snapshot| $value.into()))
    };
}

/// Defines an attribute for one of the expiry settings. Writing it needs `CAP_SYS_ADMIN`.
macro_rules! setting {
    ($name:literal, $expiry:ident => $value:expr, $new:ident => $change:expr) => {
        DeviceAttribute::read_write(
            $name,
            |pipe, f| {
                show(pipe, f, |snapshot| {
                    let $expiry = snapshot.expiry;
                    $value.into()
                })
            },
            |pipe, text| {
                cred::require_admin()?;
                let $new: u32 = parse(text)?;
                Pipe::set_expiry(pipe, |$expiry| $change)
            },
        )
    };
}

/// The files of each pipe.
pub(crate) static ATTRIBUTES: [DeviceAttribute<Arc<Pipe>>; 29] = [
    DeviceAttribute::read_only(c"node", |pipe, f| {
        f.write_str("/dev/")?;
        pipe.data().write_node_name(f)?;
        f.write_str("\n")
    }),
    value!(c"msg_size", s => s.limits.msg_size()),
    value!(c"max_msgs", s => s.limits.max_msgs()),
    value!(c"readers", s => s.open_counts.readers),
    value!(c"writers", s => s.open_counts.writers),
    value!(c"waiting_readers", s => s.waiting_readers),
    value!(c"waiting_writers", s => s.waiting_writers),
    value!(c"depth_msgs", s => s.depth.msgs),
    value!(c"depth_bytes", s => s.depth.bytes),
    value!(c"peak_msgs", s => s.counters.peak.msgs),
    value!(c"peak_bytes", s => s.counters.peak.bytes),
    value!(c"enqueued_msgs", s => s.counters.enqueued.msgs),
    value!(c"enqueued_bytes", s => s.counters.enqueued.bytes),
    value!(c"dequeued_msgs", s => s.counters.dequeued.msgs),
    value!(c"dequeued_bytes", s => s.counters.dequeued.bytes),
    value!(c"expired_msgs", s => s.counters.expired.msgs),
    value!(c"expired_bytes", s => s.counters.expired.bytes),
    value!(c"dropped_msgs", s => s.counters.dropped.msgs),
    value!(c"dropped_bytes", s => s.counters.dropped.bytes),
    value!(c"refused_full", s => s.refused.full),
    value!(c"refused_size", s => s.refused.size),
    DeviceAttribute::read_only(c"kind", |pipe, f| {
        writeln!(f, "{}", pipe.data().kind().as_str())
    }),
    DeviceAttribute::<Arc<Pipe>>::read_only(c"history", |pipe, f| {
        writeln!(f, "{}", pipe.data().kind().history())
    })
    .only_in(|pipe| pipe.kind() != Kind::Queue),
    DeviceAttribute::<Arc<Pipe>>::read_only(c"priorities", |pipe, f| {
        writeln!(f, "{}", pipe.data().priorities())
    })
    .only_in(|pipe| pipe.priorities() > 1),
    DeviceAttribute::read_write(
        c"default_mode",
        |pipe, f| {
            pipe.data().default_modes().write_to(f)?;
            f.write_str("\n")
        },
        |pipe, text| {
            cred::require_admin()?;
            pipe.set_default_modes(Modes::parse(text).ok_or(EINVAL)?);
            Ok(())
        },
    ),
    DeviceAttribute::read_write(
        c"overflow",
        |pipe, f| writeln!(f, "{}", pipe.data().overflow().as_str()),
        |pipe, text| {
            cred::require_admin()?;
            Pipe::set_overflow(pipe, Overflow::parse(text).ok_or(EINVAL)?)
        },
    ),
    DeviceAttribute::read_write(
        c"flush_enable",
        |pipe, f| show(pipe, f, |snapshot| snapshot.expiry.enabled.into()),
        |pipe, text| {
            cred::require_admin()?;
            let enabled = match parse(text)? {
                0 => false,
                1 => true,
                _ => return Err(EINVAL),
            };
            Pipe::set_expiry(pipe, |old| Expiry { enabled, ..old })
        },
    ),
    setting!(c"flush_interval_ms",
        old => old.interval_ms, new => Expiry::new(old.enabled, new, old.expiry_ms)),
    setting!(c"flush_expiry_ms",
        old => old.expiry_ms, new => Expiry::new(old.enabled, old.interval_ms, new)),
];

/// The command files of the class.
pub(crate) static COMMANDS: [ClassCommand; 2] = [
    ClassCommand::new(c"create", create),
    ClassCommand::new(c"destroy", destroy),
];

/// Writes a number from a snapshot of the pipe.
fn show(
    pipe: &ClassDevice<Arc<Pipe>>,
    f: &mut Formatter<'_>,
    value: impl FnOnce(Snapshot) -> u64,
) -> fmt::Result {
    writeln!(f, "{}", value(pipe.data().snapshot()))
}

/// Parses a decimal number.
fn parse(text: &[u8]) -> Result<u32> {
    number(text, 10).ok_or(EINVAL)
}

/// Creates the pipe that `text` describes: its name, and settings as `key=value`.
fn create(text: &[u8]) -> Result {
    cred::require_admin()?;
    let request = Request::parse(text).ok_or(EINVAL)?;
    let limits = registry::check_limits(request.msg_size, request.max_msgs)?;
    let Request { kind, history, .. } = request;
    let kind = Kind::from_number(kind, history, limits.max_msgs()).ok_or(EINVAL)?;
    registry::create(&Spec {
        limits,
        kind,
        priorities: kind.priorities(request.priorities).ok_or(EINVAL)?,
        default_modes: request.default_modes,
        overflow: request.overflow,
        node: request.node,
    })?;
    Ok(())
}

/// Destroys the pipe that `text` names: by its number, its name, its device or its node.
fn destroy(text: &[u8]) -> Result {
    cred::require_admin()?;
    let pipe = match PipeId::new(text) {
        Some(PipeId::Number(id)) => registry::find(id),
        Some(PipeId::Name(name)) => registry::find_name(&name),
        None => None,
    };
    registry::destroy(&pipe.ok_or(ENODEV)?)
}
