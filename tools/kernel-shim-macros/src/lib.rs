// SPDX-License-Identifier: GPL-2.0

//! The procedural macros of the kernel crate that the module's files use, on the host.

use proc_macro::{Delimiter, Group, Punct, Spacing, TokenStream, TokenTree};

/// Turns a module of KUnit tests into a module of ordinary tests.
///
/// The name of the suite is not needed: the test runner prints the path of each test.
#[proc_macro_attribute]
pub fn kunit_tests(_suite: TokenStream, module: TokenStream) -> TokenStream {
    "#[cfg(test)]"
        .parse::<TokenStream>()
        .into_iter()
        .flatten()
        .chain(module)
        .collect()
}

/// Leaves KUnit tests out, for files that are compiled for other tests.
#[proc_macro_attribute]
pub fn no_kunit_tests(_suite: TokenStream, _module: TokenStream) -> TokenStream {
    TokenStream::new()
}

/// Takes the attributes off the fields that are to be pinned: nothing need be pinned on the host.
#[proc_macro_attribute]
pub fn pin_data(_args: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens = item.into_iter().peekable();
    let mut out = TokenStream::new();
    while let Some(token) = tokens.next() {
        let is_pin = match tokens.peek() {
            Some(TokenTree::Group(group)) => group.stream().to_string() == "pin",
            _ => false,
        };
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' && is_pin => drop(tokens.next()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let fields = pin_data(TokenStream::new(), group.stream());
                out.extend([TokenTree::from(Group::new(Delimiter::Brace, fields))]);
            }
            token => out.extend([token]),
        }
    }
    out
}

/// Makes an ordinary value: the fields that are initialised in place are so by values, too. Those that
/// come later may refer to them.
#[proc_macro]
pub fn pin_init(expression: TokenStream) -> TokenStream {
    let mut bindings = TokenStream::new();
    let mut out = TokenStream::new();
    for token in expression {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let (fields, names) = fields(group.stream());
                bindings.extend(fields);
                out.extend([TokenTree::from(Group::new(Delimiter::Brace, names))]);
            }
            token => out.extend([token]),
        }
    }
    bindings.extend(out);
    TokenTree::from(Group::new(Delimiter::Brace, bindings)).into()
}

/// Makes a `let` of each field that has a value, and a list of the names of all.
fn fields(list: TokenStream) -> (TokenStream, TokenStream) {
    let mut bindings = TokenStream::new();
    let mut names = TokenStream::new();
    let mut tokens = list.into_iter().peekable();
    while let Some(name) = tokens.next() {
        names.extend([name.clone(), Punct::new(',', Spacing::Alone).into()]);
        let is = |token: Option<&TokenTree>, char: char| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char);
        let has_value = is(tokens.peek(), '<') || is(tokens.peek(), ':');
        if has_value {
            // The arrow is two of them.
            if is(tokens.next().as_ref(), '<') {
                tokens.next();
            }
            bindings.extend("let".parse::<TokenStream>().into_iter().flatten());
            bindings.extend([name, Punct::new('=', Spacing::Alone).into()]);
        }
        for token in tokens.by_ref() {
            if is(Some(&token), ',') {
                break;
            }
            bindings.extend([token]);
        }
        if has_value {
            bindings.extend([TokenTree::from(Punct::new(';', Spacing::Alone))]);
        }
    }
    (bindings, names)
}
