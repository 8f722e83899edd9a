// SPDX-License-Identifier: MIT OR Apache-2.0

//! Parameters of pipes, and the requests that set them.

use crate::{
    error::{Error, Result},
    kind::Kind,
    modes::Modes,
    overflow::Overflow,
    sys::{RawCreate, RawFlush, RawParams},
};
use kmsgpipe_sys::{MAX_MSGS_DEFAULT, MSG_SIZE_DEFAULT, NAME_SIZE};
use std::ffi::c_char;

/// Limits of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Params {
    /// Maximum message size in bytes.
    pub msg_size: u32,
    /// Maximum number of queued messages.
    pub max_msgs: u32,
}

impl Default for Params {
    /// Returns the defaults of the module.
    fn default() -> Self {
        Self {
            msg_size: MSG_SIZE_DEFAULT,
            max_msgs: MAX_MSGS_DEFAULT,
        }
    }
}

impl From<RawParams> for Params {
    fn from(raw: RawParams) -> Self {
        let RawParams {
            msg_size,
            max_msgs,
            reserved: _,
        } = raw;
        Self { msg_size, max_msgs }
    }
}

impl From<Params> for RawParams {
    fn from(params: Params) -> Self {
        Self {
            msg_size: params.msg_size,
            max_msgs: params.max_msgs,
            ..Self::default()
        }
    }
}

/// When messages expire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flush {
    /// Interval in which expired messages are removed, in milliseconds; 0 selects the kernel's default of 1 s.
    pub interval_ms: u32,
    /// Age at which messages expire, in milliseconds; 0 selects the kernel's default of 10 s.
    pub expiry_ms: u32,
}

impl Flush {
    /// Returns the request that enables expiry, or disables it if `flush` is `None`.
    pub(crate) fn request(flush: Option<Self>) -> RawFlush {
        let Self {
            interval_ms,
            expiry_ms,
        } = flush.unwrap_or_default();
        RawFlush {
            enable: flush.is_some().into(),
            interval_ms,
            expiry_ms,
            reserved: 0,
        }
    }
}

/// Attributes of a pipe to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Create {
    /// Limits of the pipe.
    pub params: Params,
    /// Permissions of its node; 0 selects 0600.
    pub mode: u32,
    /// Owner of its node.
    pub uid: u32,
    /// Group of its node.
    pub gid: u32,
    /// Name of the pipe, if it has one.
    pub name: Option<String>,
    /// Mode that its files have when they are opened.
    pub default_mode: Modes,
    /// What a write to the full pipe does.
    pub overflow: Overflow,
    /// Which readers get a message.
    pub kind: Kind,
    /// Number of the newest messages that stay for later subscriptions of a broadcast pipe; 0 for a queue.
    pub history: u32,
    /// Number of priorities, up to 32; 0 selects 1, the only choice for a broadcast pipe.
    pub priorities: u32,
}

impl Create {
    /// Returns the request.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`] for a name that does not fit; the kernel checks its characters.
    pub(crate) fn request(&self) -> Result<RawCreate> {
        let name = self.name.as_deref().unwrap_or_default();
        let mut bytes = [0; NAME_SIZE];
        // The field is terminated by a zero byte, so the name must not fill it or contain one.
        if name.len() >= bytes.len() || name.bytes().any(|byte| byte == 0) {
            return Err(Error::BadName { name: name.into() });
        }
        for (to, from) in bytes.iter_mut().zip(name.bytes()) {
            *to = from as c_char;
        }
        Ok(RawCreate {
            msg_size: self.params.msg_size,
            max_msgs: self.params.max_msgs,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            name: bytes,
            default_mode: self.default_mode.bits(),
            overflow: self.overflow.number(),
            kind: self.kind.number(),
            history: self.history,
            priorities: self.priorities,
            ..RawCreate::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_round_trip() {
        let params = Params {
            msg_size: 1,
            max_msgs: u32::MAX,
        };
        let raw = RawParams::from(params);
        assert_eq!(raw.reserved, [0; 2]);
        assert_eq!(Params::from(raw), params);
        let default = Params::default();
        assert_eq!((default.msg_size, default.max_msgs), (256, 128));
    }

    #[test]
    fn disabling_flush_zeroes_the_request() {
        assert_eq!(Flush::request(None), RawFlush::default());
        let raw = Flush::request(Some(Flush::default()));
        assert_eq!((raw.enable, raw.interval_ms, raw.expiry_ms), (1, 0, 0));
        let raw = Flush::request(Some(Flush {
            interval_ms: 2,
            expiry_ms: 3,
        }));
        assert_eq!((raw.enable, raw.interval_ms, raw.expiry_ms), (1, 2, 3));
    }

    #[test]
    fn create_request_pads_the_name() {
        let create = |name: &str| Create {
            name: Some(name.into()),
            mode: 0o640,
            uid: 1,
            gid: 2,
            default_mode: Modes::WHOLE | Modes::LINES,
            overflow: Overflow::DropNewest,
            kind: Kind::Broadcast,
            history: 3,
            priorities: 4,
            ..Create::default()
        };
        let raw = create("log").request().unwrap();
        assert_eq!(raw.name[..3], [108, 111, 103]);
        assert_eq!(raw.name[3..], [0; 29]);
        assert_eq!((raw.mode, raw.uid, raw.gid), (0o640, 1, 2));
        assert_eq!((raw.msg_size, raw.max_msgs), (256, 128));
        assert_eq!(raw.default_mode, 9);
        assert_eq!(raw.overflow, 2);
        assert_eq!((raw.kind, raw.history, raw.priorities), (1, 3, 4));
        assert_eq!((raw.flags, raw.reserved), (0, [0; 3]));

        assert!(create(&"n".repeat(31)).request().is_ok());
        for name in ["n".repeat(32), "a\0b".into()] {
            let error = create(&name).request().unwrap_err();
            assert_eq!(error, Error::BadName { name });
        }
        assert_eq!(Create::default().request().unwrap().name, [0; NAME_SIZE]);
    }
}
