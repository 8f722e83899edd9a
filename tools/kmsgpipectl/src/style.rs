// SPDX-License-Identifier: GPL-2.0

//! Colour of text output: on a terminal, unless `NO_COLOR` or `--color` disables it.

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use std::io;

/// Applies the option `--color`.
pub fn choose(choice: ColorChoice) {
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Paints text for an output, if that output uses colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

impl Paint {
    /// Returns the style of standard output.
    pub fn stdout() -> Self {
        Self(AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never)
    }

    /// Returns the style of standard error.
    pub fn stderr() -> Self {
        Self(AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never)
    }

    /// Returns the style without colour.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self(false)
    }

    /// Paints a heading.
    pub fn head(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// Paints what is less important.
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Paints a success.
    pub fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// Paints a warning.
    pub fn warning(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    /// Paints an error.
    pub fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// Paints the first line of a table as a heading.
    pub fn headed(self, table: &str) -> String {
        match table.split_once('\n') {
            Some((head, rows)) => format!("{}\n{rows}", self.head(head)),
            None => table.to_string(),
        }
    }

    /// Paints text in a style.
    fn paint(self, style: Style, text: &str) -> String {
        match self.0 {
            true => format!("{style}{text}{style:#}"),
            false => text.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_style_leaves_text_unchanged() {
        let plain = Paint(false);
        for text in [
            plain.head("x"),
            plain.dim("x"),
            plain.good("x"),
            plain.warning("x"),
            plain.bad("x"),
        ] {
            assert_eq!(text, "x");
        }
        assert_eq!(plain.headed("A B\n1 2\n"), "A B\n1 2\n");
    }

    #[test]
    fn colour_is_reset_after_the_text() {
        let colourful = Paint(true);
        assert_eq!(colourful.headed("A\n1\n"), "\x1b[1mA\x1b[0m\n1\n");
        assert_eq!(colourful.good("x"), "\x1b[32mx\x1b[0m");
        assert_eq!(colourful.headed("A"), "A");
    }
}
