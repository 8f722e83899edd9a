// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs bindgen on the header that the module is built from.

use std::{env, error::Error, path::PathBuf};

/// The input of bindgen and the header that it includes, relative to this package.
const HEADERS: [&str; 2] = ["../../src/uapi/bindgen.h", "../../include/uapi/kmsgpipe.h"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    for header in HEADERS {
        println!("cargo:rerun-if-changed={header}");
    }

    let out = PathBuf::from(env::var("OUT_DIR")?).join("uapi.rs");
    bindgen::Builder::default()
        .header(HEADERS[0])
        .allowlist_item("(KMSGPIPE|kmsgpipe)_.*")
        .use_core()
        .derive_default(true)
        .derive_eq(true)
        .generate()?
        .write_to_file(out)?;
    Ok(())
}
