use cli::{Exit, Failure, OrFail};

/// Scripts test these numbers.
const TABLE: [(Exit, u8); 9] = [
    (Exit::Done, 0),
    (Exit::Failed, 1),
    (Exit::Usage, 2),
    (Exit::Refused, 3),
    (Exit::Surroundings, 4),
    (Exit::Unfinished, 5),
    (Exit::Signal(2), 130),
    (Exit::Signal(15), 143),
    (Exit::Signal(1), 129),
];

#[test]
fn the_numbers() {
    for (exit, code) in TABLE {
        assert_eq!((exit.code(), exit.to_string()), (code, code.to_string()));
    }
}

/// What a transfer's failure means to a script.
#[test]
fn of_each_kind() {
    let io = |code| std::io::Error::from_raw_os_error(code);
    let copy = |code| block_copy::Error::system(block_copy::Op::Write, "x".as_ref(), None, io(code)).into();
    let table: [(transfer::Error, Exit); 7] = [
        (transfer::Error::NoStream, Exit::Refused),
        (transfer::Error::SecondLayer, Exit::Refused),
        (transfer::Error::Output(io(32)), Exit::Failed),
        (copy(5), Exit::Failed),
        (copy(28), Exit::Surroundings),
        (
            transfer::Error::AndLeft {
                cause: Box::new(transfer::Error::NoStream),
                left: Box::new(transfer::Error::SecondLayer),
            },
            Exit::Unfinished,
        ),
        ("no name".parse::<lvm_cmd::LvName>().unwrap_err().into(), Exit::Usage),
    ];
    for (error, exit) in table {
        let text = error.to_string();
        assert_eq!(Failure::from(error).exit(), exit, "{text}");
    }
    let failure = Err::<(), _>(io(2)).or_fail(Exit::Usage).unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
}
