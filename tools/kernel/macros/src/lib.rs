// SPDX-License-Identifier: GPL-2.0

//! The two attribute macros of the kernel crate that the module's files use.
//!
//! They are a separate crate, because Rust allows no attribute macro in another kind of crate,
//! and `macro_rules!` cannot define one.

use proc_macro::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};

/// Passes a module of KUnit tests to the macro `kunit_tests!` of the crate that compiles it.
///
/// That crate decides how the tests run. It must define the macro before the module.
#[proc_macro_attribute]
pub fn kunit_tests(_suite: TokenStream, module: TokenStream) -> TokenStream {
    TokenStream::from_iter([
        TokenTree::from(Ident::new("kunit_tests", Span::call_site())),
        Punct::new('!', Spacing::Alone).into(),
        Group::new(Delimiter::Brace, module).into(),
    ])
}

/// Removes the attribute `#[pin]` from the fields of a structure. Nothing is pinned on the host.
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
