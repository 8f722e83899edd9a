// SPDX-License-Identifier: GPL-2.0

//! A chat on a terminal.
//!
//! The editor stays on the last line from the beginning to the end: a line that is sent is cleared in it, and comes
//! back from the pipe like those of others. So what is on the screen is what the others see, in their order.

use super::{
    room::{Reader, Room},
    screen::{Screen, REPAINT},
    sent::Sent,
    start,
    terminal::Terminal,
    End,
};
use crate::{commands::print, failure::Failure};
use kmsgpipe::Class;
use rustyline::{
    completion::Completer, config::Configurer, error::ReadlineError, highlight::Highlighter,
    hint::Hinter, history::MemHistory, validate::Validator, Cmd, ColorMode,
    ConditionalEventHandler, Config, Editor, Event, EventContext, EventHandler, Helper, KeyCode,
    KeyEvent, Modifiers, Movement, RepeatCount,
};
use std::{
    borrow::Cow,
    env, io,
    sync::{Arc, Mutex, PoisonError},
};

/// Returns whether the terminal can show a line that is edited.
pub fn is_supported() -> bool {
    // Those that rustyline does not support.
    !matches!(
        env::var("TERM").as_deref(),
        Err(_) | Ok("" | "dumb" | "cons25" | "emacs")
    )
}

/// Talks on a terminal.
pub fn run(room: &Arc<Room>, end: &End, terminal: &Terminal) -> Result<(), Failure> {
    let mut reader = Reader::new(false);
    // The history of the pipe.
    print(&reader.receive(room)?)?;
    room.join()?;
    let screen = Screen::new(terminal)
        .map(Arc::new)
        .map_err(|error| Failure::io("prepare the terminal", &error))?;
    let ended = edit(room, end, terminal, reader, screen);
    terminal.restore();
    room.leave();
    ended
}

/// Edits lines until the user leaves.
fn edit(
    room: &Arc<Room>,
    end: &End,
    terminal: &Terminal,
    mut reader: Reader,
    screen: Arc<Screen>,
) -> Result<(), Failure> {
    let mut editor = editor(room, &screen)?;
    let (keyboard, keys) = (terminal.clone(), screen.clone());
    // A terminal that is gone ends the program by a signal.
    start(move || drop(keys.pass_keys(&keyboard)))?;
    let others = end.clone();
    start(move || loop {
        let shown = match reader.receive(&others.room) {
            Ok(text) if text.is_empty() => others.room.wait(),
            Ok(text) => screen
                .show(&text)
                .map_err(|error| Failure::io("show a message", &error)),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = shown {
            others.by_failure(&failure);
        }
    })?;
    match editor.readline(&format!("{}> ", room.who())) {
        Ok(_) | Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Creates the editor.
fn editor(room: &Arc<Room>, screen: &Arc<Screen>) -> Result<Editor<Painter, MemHistory>, Failure> {
    // A pasted newline sends the line, as a typed one does. The messages have their own colours, if any.
    let config = Config::builder()
        .bracketed_paste(false)
        .color_mode(ColorMode::Forced)
        .build();
    let mut editor = Editor::with_history(config, MemHistory::new()).map_err(failed)?;
    editor.set_max_history_size(0).map_err(failed)?;
    editor.set_helper(Some(Painter(screen.clone())));
    let keys = Arc::new(Keys {
        room: room.clone(),
        screen: screen.clone(),
        sent: Mutex::default(),
    });
    for (key, action) in [
        (KeyEvent(KeyCode::Enter, Modifiers::NONE), Key::Send),
        (KeyEvent::ctrl('J'), Key::Send),
        (KeyEvent(KeyCode::Up, Modifiers::NONE), Key::Older),
        (KeyEvent::ctrl('P'), Key::Older),
        (KeyEvent(KeyCode::Down, Modifiers::NONE), Key::Newer),
        (KeyEvent::ctrl('N'), Key::Newer),
        (KeyEvent::ctrl('C'), Key::Clear),
    ] {
        let keys = keys.clone();
        let binding = Binding { key: action, keys };
        editor.bind_sequence(key, EventHandler::Conditional(Box::new(binding)));
    }
    editor.bind_sequence(KeyEvent::ctrl(REPAINT), Cmd::Repaint);
    // These wait for another key, for which they would take the one that repaints; and the program cannot restore the
    // terminal when it is suspended.
    for key in ['Q', 'R', 'S', 'V', 'X', 'Z', ']'] {
        editor.bind_sequence(KeyEvent::ctrl(key), Cmd::Noop);
    }
    Ok(editor)
}

/// Converts an error of the editor.
fn failed(error: ReadlineError) -> Failure {
    match error {
        ReadlineError::Io(error) => Failure::io("edit a line on the terminal", &error),
        ReadlineError::Errno(errno) => {
            let error = io::Error::from_raw_os_error(errno as i32);
            Failure::io("edit a line on the terminal", &error)
        }
        error => Failure::new(
            Class::Failed,
            format!("cannot edit a line on the terminal: {error}"),
        ),
    }
}

/// Shows what has arrived before the prompt.
struct Painter(Arc<Screen>);

impl Highlighter for Painter {
    /// Is called when the editor has cleared its line and writes it again. All that it does then is relative to the
    /// line in which the prompt ends.
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        let texts = self.0.take();
        match texts.is_empty() {
            true => prompt.into(),
            false => (texts + prompt).into(),
        }
    }
}

impl Completer for Painter {
    type Candidate = String;
}

impl Hinter for Painter {
    type Hint = String;
}

impl Validator for Painter {}

impl Helper for Painter {}

/// What the keys of a chat use.
struct Keys {
    room: Arc<Room>,
    screen: Arc<Screen>,
    sent: Mutex<Sent>,
}

impl Keys {
    /// Sends a line. Returns whether it was sent.
    fn send(&self, line: &str) -> bool {
        match self.room.say(line) {
            Ok(()) => true,
            Err(failure) => {
                let notice = format!("not sent: {}", failure.message());
                self.screen.add(&Reader::new(false).style().notice(&notice));
                false
            }
        }
    }
}

/// What a key does in a chat.
#[derive(Clone, Copy, Debug)]
enum Key {
    /// Sends the line.
    Send,
    /// Shows the line that was sent before this one.
    Older,
    /// Shows the line that was sent after this one.
    Newer,
    /// Clears the line, or leaves if there is none.
    Clear,
}

/// A key and what it uses.
struct Binding {
    key: Key,
    keys: Arc<Keys>,
}

impl ConditionalEventHandler for Binding {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext<'_>) -> Option<Cmd> {
        let line = ctx.line();
        let mut sent = self
            .keys
            .sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let text = match self.key {
            Key::Send if line.trim().is_empty() => Some(String::new()),
            Key::Send => self.keys.send(line).then(|| {
                sent.add(line);
                String::new()
            }),
            Key::Older => sent.older(line),
            Key::Newer => sent.newer(),
            Key::Clear if line.is_empty() => return Some(Cmd::Interrupt),
            Key::Clear => Some(String::new()),
        };
        // The line as it is, with what there is to be shown.
        Some(text.map_or(Cmd::Repaint, |text| {
            Cmd::Replace(Movement::WholeBuffer, Some(text))
        }))
    }
}
