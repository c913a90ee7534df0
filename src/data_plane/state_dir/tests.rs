//! A directory that other processes, operators and disks do things to.

use super::*;

const NOON: WallTime = WallTime::from_nanos(1_700_000_000_000_000_000);

fn read(dir: &StateDir, on_bad: OnBadState) -> anyhow::Result<(Option<KeptState>, Option<String>)> {
    dir.kept::<u8>(on_bad, NOON)
}

#[test]
fn an_instance_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::open(folder.path()).unwrap();
    let id = Uuid::from_u128(7);
    dir.keep_instance(id);
    assert_eq!(dir.take_instance(), Some(id));
    assert_eq!(dir.take_instance(), None);
}

#[test]
fn a_directory_that_cannot_be_written_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = StateDir::open(&file.join("dir")).unwrap_err().to_string();
    assert!(error.ends_with("file/dir: the state directory cannot be written"), "{error}");
}

#[test]
fn a_directory_is_for_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let held = StateDir::open(folder.path()).unwrap();
    let error = StateDir::open(folder.path()).unwrap_err().to_string();
    let want = "another process uses this state directory; give each its own by `--state-dir`";
    assert!(error.ends_with(want), "{error}");
    drop(held);
    assert!(StateDir::open(folder.path()).is_ok());
}

#[test]
fn a_file_that_is_missing_is_a_fresh_start_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::open(folder.path()).unwrap();
    assert!(matches!(read(&dir, OnBadState::Refuse), Ok((None, None))));
    for (round, aside) in
        ["state.damaged-20231114T221320Z", "state.damaged-20231114T221320Z-2"].into_iter().enumerate()
    {
        let text = format!("junk {round}");
        fs::write(dir.at(STATE), &text).unwrap();
        for _ in 0..2 {
            let error = read(&dir, OnBadState::Refuse).unwrap_err().to_string();
            assert!(error.contains("state: the state cannot be read: it is damaged: "), "{error}");
            assert!(error.contains("`--on-bad-state fresh`"), "{error}");
        }
        let (kept, name) = read(&dir, OnBadState::Fresh).unwrap();
        assert_eq!((kept.is_none(), name.as_deref()), (true, Some(aside)));
        assert_eq!(fs::read_to_string(dir.at(aside)).unwrap(), text);
        assert!(matches!(read(&dir, OnBadState::Refuse), Ok((None, None))));
    }
}

#[test]
fn what_cannot_be_opened_is_as_bad_as_damage() {
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::open(folder.path()).unwrap();
    fs::create_dir(dir.at(STATE)).unwrap();
    assert!(read(&dir, OnBadState::Refuse).is_err());
    assert!(read(&dir, OnBadState::Fresh).unwrap().1.is_some());
}

#[test]
fn half_a_file_replaces_nothing_and_stays_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::open(folder.path()).unwrap();
    dir.write("x", b"whole").unwrap();
    let failed = dir.replace("x", |file| {
        file.write_all(b"ha")?;
        Err::<(), _>(io::Error::other("the disk is full"))
    });
    assert_eq!(failed.unwrap_err().to_string(), "the disk is full");
    assert_eq!(fs::read(dir.at("x")).unwrap(), b"whole");
    assert!(!dir.at("x.new").exists());
}
