//! What every target shares: under a fuzzer its entry point, else an ordinary `main` that replays the files and folders
//! given as arguments, with plain `cargo run` on stable.

/// Makes a target of a relation: a function that panics where bytes break it.
macro_rules! target {
    ($relation:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $relation(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            let inputs: Vec<_> = std::env::args_os().skip(1).map(std::path::PathBuf::from).collect();
            let count = shim::replay(&inputs, $relation)?;
            println!("{count} inputs replayed");
            Ok(())
        }
    };
}

/// Applies the relation to each file, and to each file in each folder; gives how many there were.
#[cfg(not(fuzzing))]
pub fn replay(inputs: &[std::path::PathBuf], relation: fn(&[u8])) -> std::io::Result<usize> {
    let mut count = 0;
    for input in inputs {
        if input.is_dir() {
            let entries: Result<Vec<_>, _> =
                input.read_dir()?.map(|entry| Ok::<_, std::io::Error>(entry?.path())).collect();
            count += replay(&entries?, relation)?;
        } else {
            eprintln!("{}", input.display());
            relation(&std::fs::read(input)?);
            count += 1;
        }
    }
    Ok(count)
}
