//! Prints the public items of a crate, one on each line, from the JSON that rustdoc writes.

use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    let json = env::args_os().nth(1).ok_or("the argument is a file of rustdoc's JSON")?;
    // Blanket implementations are those of the standard library, and the same for every type.
    let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build()?;
    for item in api.items() {
        println!("{item}");
    }
    Ok(())
}
