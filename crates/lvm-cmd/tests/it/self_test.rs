use std::path::Path;

use lvm_cmd::{
    Command, ExecError, Executor, Kind, MetadataTool, Output, Program, Running, Scripted, SelfTestError, ThinId,
    self_test, spawn_delta, spawn_dump,
};

use crate::{chain, parsed, pool_row, row};

fn answer(scratch: &Path, steps: &str) -> Result<(), SelfTestError> {
    answer_of(MetadataTool::ThinDelta, scratch, steps)
}

fn answer_of(tool: MetadataTool, scratch: &Path, steps: &str) -> Result<(), SelfTestError> {
    let image = scratch.join("thin_delta-self-test.img");
    let exec = Scripted::from_transcript(&steps.replace("IMAGE", image.to_str().unwrap())).unwrap();
    let result = self_test(&exec, scratch, tool);
    assert_eq!(image.metadata().unwrap().len(), 2 << 20);
    result
}

const ASK: &str = "$ thin_delta --snap1 1 --snap2 2 IMAGE\n";

#[test]
fn a_right_answer() {
    let scratch = tempfile::tempdir().unwrap();
    let right = "| <superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"128\" nr_data_blocks=\"1024\">\n\
                 |   <diff left=\"1\" right=\"2\">\n\
                 |     <same begin=\"0\" length=\"5\"/>\n\
                 |     <different begin=\"5\" length=\"1\"/>\n\
                 |     <same begin=\"6\" length=\"4\"/>\n\
                 |   </diff>\n|~</superblock>\n= 0\n";
    answer(scratch.path(), &format!("{ASK}{right}")).unwrap();
    // Again, over the file that is there.
    answer(scratch.path(), &format!("{ASK}{right}")).unwrap();
    assert_eq!(scratch.path().read_dir().unwrap().count(), 1);
}

/// As on a full disk: nothing is left of an image that cannot be put in its place.
#[test]
fn an_image_that_cannot_be_made_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::create_dir(scratch.path().join("thin_delta-self-test.img")).unwrap();
    let exec = Scripted::from_transcript("").unwrap();
    let error = self_test(&exec, scratch.path(), MetadataTool::ThinDelta).unwrap_err();
    assert!(error.to_string().contains("thin_delta-self-test.img"), "{error}");
    assert_eq!(scratch.path().read_dir().unwrap().count(), 1);
}

#[test]
fn the_version_that_loses_changes() {
    let scratch = tempfile::tempdir().unwrap();
    let wrong = "| <diff left=\"1\" right=\"2\">\n|   <same begin=\"0\" length=\"10\"/>\n| </diff>\n= 0\n\
                 $ thin_delta -V\n| thin_delta 1.0.4\n= 0\n";
    let error = answer(scratch.path(), &format!("{ASK}{wrong}")).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert_eq!(
        error.to_string(),
        "`thin_delta` (version `1.0.4`) is faulty: of the built-in test image it says \
         `<same begin=\"0\" length=\"10\"/>` instead of `<same begin=\"0\" length=\"5\"/> \
         <different begin=\"5\" length=\"1\"/> <same begin=\"6\" length=\"4\"/>`; versions 1.0.0 to 1.0.4 omit changed \
         blocks, and 1.0.5 does not know `--snap2`; install thin-provisioning-tools 1.0.6 or newer (0.9.0 is right too)"
    );
}

#[test]
fn the_version_that_refuses() {
    let scratch = tempfile::tempdir().unwrap();
    let refused = "! unknown option\n= 64\n$ thin_delta -V\n= 1\n";
    let error = answer(scratch.path(), &format!("{ASK}{refused}")).unwrap_err();
    assert!(matches!(error, SelfTestError::Unusable { .. }));
    assert!(error.to_string().starts_with("`thin_delta` cannot compare two volumes; versions 1.0.0"), "{error}");
    assert!(chain(&error).ends_with("exited with status 64: unknown option"), "{}", chain(&error));
}

/// What the program says is not looked at: whether the folder takes direct I/O, an open file says. On tmpfs it does from Linux 6.6
/// on.
#[test]
fn a_folder_without_direct_io_is_not_the_programs_fault() {
    let refused = "! syscall 'open' failed: Invalid argument\n! Note: you cannot run this tool\n= 1\n";
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECT;
    for folder in [Path::new("/dev/shm").to_owned(), std::env::temp_dir()] {
        let scratch = tempfile::tempdir_in(folder).unwrap();
        let probe = scratch.path().join("probe");
        std::fs::write(&probe, "").unwrap();
        let takes_it = rustix::fs::open(&probe, flags, rustix::fs::Mode::empty()).is_ok();
        let asked = if takes_it { "$ thin_delta -V\n= 1\n" } else { "" };
        let error = answer(scratch.path(), &format!("{ASK}{refused}{asked}")).unwrap_err();
        assert_eq!(matches!(error, SelfTestError::Scratch { .. }), !takes_it, "{error}");
        assert_eq!(matches!(error, SelfTestError::Unusable { .. }), takes_it, "{error}");
    }
}

const DUMP: &str = "$ thin_dump --dev-id 2 IMAGE\n";

/// `thin_dump`, of whose faults nothing is known, is asked all the same before a full stream relies on it.
#[test]
fn thin_dump_is_tested_too() {
    let scratch = tempfile::tempdir().unwrap();
    let right = "| <superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"128\" nr_data_blocks=\"1024\">\n\
                 |   <device dev_id=\"2\" mapped_blocks=\"10\" transaction=\"1\" creation_time=\"1\" snap_time=\"1\">\n\
                 |     <range_mapping origin_begin=\"0\" data_begin=\"100\" length=\"5\" time=\"0\"/>\n\
                 |     <single_mapping origin_block=\"5\" data_block=\"500\" time=\"1\"/>\n\
                 |     <range_mapping origin_begin=\"6\" data_begin=\"106\" length=\"4\" time=\"0\"/>\n\
                 |   </device>\n|~</superblock>\n= 0\n";
    let dump = |steps: &str| answer_of(MetadataTool::ThinDump, scratch.path(), steps);
    dump(&format!("{DUMP}{right}")).unwrap();
    let short = right.replace("length=\"4\"", "length=\"3\"");
    let error = dump(&format!("{DUMP}{short}$ thin_dump -V\n| thin_dump 9.9\n= 0\n")).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert!(
        error.to_string().starts_with("`thin_dump` (version `9.9`) is faulty: of the built-in test image"),
        "{error}"
    );
    let error = dump(&format!("{DUMP}= 64\n$ thin_dump -V\n= 1\n")).unwrap_err();
    assert!(error.to_string().starts_with("`thin_dump` cannot list the chunks of a volume; install"), "{error}");
}

#[test]
fn a_symlink_in_the_scratch_folder_is_not_followed() {
    let scratch = tempfile::tempdir().unwrap();
    let precious = scratch.path().join("precious");
    std::fs::write(&precious, "data").unwrap();
    for name in [format!("thin_delta-self-test.{}.new", std::process::id()), "thin_delta-self-test.img".to_owned()] {
        std::os::unix::fs::symlink(&precious, scratch.path().join(name)).unwrap();
    }
    answer(scratch.path(), &format!("{ASK}= missing\n")).unwrap_err();
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "data");
}

#[test]
fn none_at_all() {
    let scratch = tempfile::tempdir().unwrap();
    let error = answer(scratch.path(), &format!("{ASK}= missing\n")).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert!(chain(&error).contains("Debian package `thin-provisioning-tools`"), "{}", chain(&error));
}

/// Answers as a script says, for a program that lies somewhere.
#[derive(Debug)]
struct Located(Scripted, std::path::PathBuf);

impl Executor for Located {
    fn run(&self, command: &Command) -> Result<Output, ExecError> {
        self.0.run(command)
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError> {
        self.0.spawn(command)
    }

    fn location(&self, _: Program) -> Option<std::path::PathBuf> {
        Some(self.1.clone())
    }
}

/// One process asks each file once; one that was upgraded is another.
#[test]
fn a_program_that_answered_right_is_not_asked_again() {
    let scratch = tempfile::tempdir().unwrap();
    let image = scratch.path().join("thin_delta-self-test.img");
    let program = scratch.path().join("thin_delta");
    let ask = |steps: &str| {
        let steps = steps.replace("IMAGE", image.to_str().unwrap());
        let exec = Located(Scripted::from_transcript(&steps).unwrap(), program.clone());
        self_test(&exec, scratch.path(), MetadataTool::ThinDelta)
    };
    let right = format!(
        "{ASK}|   <diff left=\"1\" right=\"2\">\n|     <same begin=\"0\" length=\"5\"/>\n\
         |     <different begin=\"5\" length=\"1\"/>\n|     <same begin=\"6\" length=\"4\"/>\n|   </diff>\n= 0\n"
    );
    let wrong = format!("{ASK}= 0\n$ thin_delta -V\n= 1\n");
    std::fs::write(&program, "one").unwrap();
    ask(&wrong).unwrap_err();
    ask(&right).unwrap();
    ask("").unwrap();
    std::fs::write(scratch.path().join("new"), "two").unwrap();
    std::fs::rename(scratch.path().join("new"), &program).unwrap();
    ask(&wrong).unwrap_err();
    ask(&right).unwrap();
}

#[test]
fn the_real_one_where_it_is_installed() {
    let host = lvm_cmd::Host::new();
    for (program, tool) in [(Program::ThinDelta, MetadataTool::ThinDelta), (Program::ThinDump, MetadataTool::ThinDump)]
    {
        if host.location(program).is_some() {
            self_test(&host, tempfile::tempdir().unwrap().path(), tool).unwrap();
        }
    }
}

#[test]
fn deltas_and_dumps_of_a_reserved_snapshot() {
    let exec = Scripted::from_transcript(
        "$ thin_delta -m --snap1 2 --snap2 3 /dev/mapper/vg0-pool_tmeta\n= 0\n\
         $ thin_dump -m --dev-id 3 /dev/mapper/vg0-pool_tmeta\n= 0\n",
    )
    .unwrap();
    let id = |id| ThinId::new(id).unwrap();
    let pool = parsed(&[pool_row()]).remove(0);
    spawn_delta(&exec, &pool, id(2), id(3)).unwrap().wait().unwrap();
    spawn_dump(&exec, &pool, id(3)).unwrap().wait().unwrap();
    let volume = parsed(&[row(&[])]).remove(0);
    let error = spawn_dump(&exec, &volume, id(3)).unwrap_err();
    assert_eq!(error.to_string(), "`vg0/data` is no thin pool: it has no metadata volume");
}
