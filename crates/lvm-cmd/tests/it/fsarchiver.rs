use std::path::Path;

use extents::Bytes;
use lvm_cmd::{Command, Executor, Host, Password, Program, Save, Scripted, archive_info, ends_whole, spawn_save};

const ALONE: &str = "$ setpriv --pdeathsig KILL unshare --mount --propagation slave --kill-child setsid fsarchiver";

#[test]
fn a_password_is_on_no_command_line_and_in_no_message() {
    let password = Password::new(b"correct horse").unwrap();
    let exec =
        Scripted::from_transcript(&format!("{ALONE} savefs -j2 -c - -o /d/a.fsa /dev/mapper/a-b\n= 0\n")).unwrap();
    let save = Save {
        device: Path::new("/dev/mapper/a-b"),
        archive: Path::new("/d/a.fsa"),
        jobs: 2.try_into().unwrap(),
        level: None,
        password: Some(&password),
    };
    spawn_save(&exec, &save).unwrap().wait().unwrap();
    assert!(!format!("{save:?}").contains("horse"));
    let command = Command::new(Program::Fsarchiver).input(b"correct horse\n");
    assert!(!format!("{command} {command:?}").contains("horse"));
    for (bytes, is_one) in
        [(&b"12345"[..], false), (b"123456", true), (&[b'x'; 64], true), (&[b'x'; 65], false), (b"two\nlines", false)]
    {
        assert_eq!(Password::new(bytes).is_ok(), is_one, "{bytes:?}");
    }
}

#[test]
fn what_a_command_has_for_it_is_read_by_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("fsarchiver");
    std::fs::write(&program, "#!/bin/sh\ncat\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let exec = Host::with_directories([folder.path()]);
    let read = |command: &Command| exec.run(command).unwrap().text().into_owned();
    assert_eq!(read(&Command::new(Program::Fsarchiver).input(b"one\ntwo\n")), "one\ntwo\n");
    assert_eq!(read(&Command::new(Program::Fsarchiver)), "");
}

/// As recorded with fsarchiver 0.8.7, which says everything on standard error.
#[test]
fn what_an_archive_says() {
    let text = "====================== archive information ======================\n\
        Archive type: \t\t\tfilesystems\nFilesystems count: \t\t1\nArchive id: \t\t\t6b05c9f1\n\
        Archive creation date: \t\t2026-11-21_15-06-52\nArchive label: \t\t\t<none>\n\n\
        ===================== filesystem information ====================\nFilesystem id in archive: \t0\n\
        Filesystem format: \t\text4\nFilesystem label: \t\tmine\nFilesystem uuid: \t\t93cc4c88-52c4-432e-b848-acca94178f5e\n\
        Original device: \t\t/dev/mapper/t-e_snapshot\nOriginal filesystem size: \t39.98 MB (41921536 bytes)\n\
        Space used in filesystem: \t3.02 MB (3162112 bytes)\n";
    let script = |text: &str| {
        let text: String = text.lines().map(|line| format!("! {line}\n")).collect();
        Scripted::from_transcript(&format!("{ALONE} archinfo /d/a.fsa\n{text}= 0\n")).unwrap()
    };
    let info = archive_info(&script(text), Path::new("/d/a.fsa"), None).unwrap();
    assert_eq!(info.created, "2026-11-21_15-06-52");
    let [found] = &info.file_systems[..] else { panic!("{info:?}") };
    assert_eq!((found.format.as_str(), found.label.as_str()), ("ext4", "mine"));
    assert_eq!((found.size, found.used), (Bytes::new(41_921_536), Bytes::new(3_162_112)));
    archive_info(&script("nothing of the kind"), Path::new("/d/a.fsa"), None).unwrap_err();
}

#[test]
fn an_archive_that_was_cut_has_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.fsa");
    let whole = [&[b'x'; 5000][..], b"FsAE", &[7; 46]].concat();
    for (content, is_whole) in [(&whole[..], true), (&whole[..5001], false), (&whole[..100], false), (b"", false)] {
        std::fs::write(&archive, content).unwrap();
        assert_eq!(ends_whole(&archive).unwrap(), is_whole, "{} bytes", content.len());
    }
}
