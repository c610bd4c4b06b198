//! The manual page, which is made of the help texts, so that it says what they say, and of what only it tells.

use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use crate::args::Args;

const CONCEPTS: &str = include_str!("../man/concepts.roff");
const REST: &str = include_str!("../man/rest.roff");

fn page() -> io::Result<String> {
    let mut args = Args::command().disable_help_subcommand(true);
    args.build();
    let man = Man::new(args.clone()).section("8").manual("System Administration");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    page.write_all(CONCEPTS.as_bytes())?;
    writeln!(page, ".SH COMMANDS")?;
    for command in args.get_subcommands() {
        one(command, &mut page)?;
    }
    man.render_options_section(&mut page)?;
    writeln!(page, ".SH EXAMPLES AND EXIT STATUS")?;
    as_it_is(args.get_after_long_help(), &mut page)?;
    page.write_all(REST.as_bytes())?;
    String::from_utf8(page).map_err(io::Error::other)
}

/// A command as a subsection, without the options that all have.
fn one(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let after = command.get_after_long_help().or_else(|| command.get_after_help()).cloned();
    let command = command.clone().mut_args(|arg| {
        let is_common = arg.is_global_set() || matches!(arg.get_id().as_str(), "help" | "version");
        arg.hide(is_common)
    });
    let name = command.get_name().to_owned();
    let usage = command.clone().render_usage().to_string();
    let man = Man::new(command);
    let mut text = Vec::new();
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    writeln!(page, ".SS lvsnap {name}")?;
    let usage = Roff::new().text([bold(usage.trim_start_matches("Usage: "))]).to_roff();
    page.write_all(usage.as_bytes())?;
    page.write_all(text.replace(".SH DESCRIPTION\n", ".PP\n").replace(".SH OPTIONS\n", "").as_bytes())?;
    as_it_is(after.as_ref(), page)
}

/// Lines that are not filled.
fn as_it_is(text: Option<&clap::builder::StyledStr>, page: &mut Vec<u8>) -> io::Result<()> {
    let Some(text) = text else { return Ok(()) };
    let mut lines = Roff::new();
    lines.control("PP", []).control("nf", []);
    for line in text.to_string().lines() {
        lines.text([roman(line)]);
    }
    lines.control("fi", []);
    page.write_all(lines.to_roff().as_bytes())
}

/// Run with `WRITE_MAN_PAGE=1` where a help text was changed.
#[test]
fn the_page_says_what_the_commands_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/lvsnap.8");
    let page = page().unwrap();
    if std::env::var_os("WRITE_MAN_PAGE").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == page, "{} is not what the help texts say: run this test with WRITE_MAN_PAGE=1", file.display());
}
