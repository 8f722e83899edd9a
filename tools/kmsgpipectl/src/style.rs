// SPDX-License-Identifier: GPL-2.0

//! Colour, where it is wanted: on a terminal, unless `NO_COLOR` or `--color` say otherwise.

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use std::io;

/// Takes the choice of the command line into account from now on.
pub fn choose(choice: ColorChoice) {
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Whether one of the outputs has colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

impl Paint {
    /// As standard output wants it.
    pub fn stdout() -> Self {
        Self(AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never)
    }

    /// As standard error wants it.
    pub fn stderr() -> Self {
        Self(AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never)
    }

    /// Without colour.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self(false)
    }

    /// What stands above or before other text.
    pub fn head(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// What is as it should be.
    pub fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// What is worth a look.
    pub fn doubtful(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    /// What is wrong.
    pub fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// The first line of a table as its head.
    pub fn headed(self, table: &str) -> String {
        match table.split_once('\n') {
            Some((head, rows)) => format!("{}\n{rows}", self.head(head)),
            None => table.to_string(),
        }
    }

    /// Text in a style, if there is to be one.
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
    fn without_colour_text_stays_as_it_is() {
        let plain = Paint(false);
        for text in [
            plain.head("x"),
            plain.good("x"),
            plain.doubtful("x"),
            plain.bad("x"),
        ] {
            assert_eq!(text, "x");
        }
        assert_eq!(plain.headed("A B\n1 2\n"), "A B\n1 2\n");
    }

    #[test]
    fn colour_ends_where_the_text_does() {
        let colourful = Paint(true);
        assert_eq!(colourful.headed("A\n1\n"), "\x1b[1mA\x1b[0m\n1\n");
        assert_eq!(colourful.good("x"), "\x1b[32mx\x1b[0m");
        assert_eq!(colourful.headed("A"), "A");
    }
}
