//! The file store under `kill -9`: two concurrent processes log in, refresh and log out, and are
//! killed meanwhile. Acknowledged changes persist, and no other session is lost.
//!
//! `REGRANT_KILLS=200` sets the number of kills.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use regrant::types::Subject;
use regrant::{Auth, ErrorCode, Login, RefreshRequest};
use regrant_model::report::report;

/// The variable with the path of the file, for a process that is to be killed.
const VICTIM: &str = "REGRANT_VICTIM_OF";

fn auth_at(file: &Path) -> Auth {
    let config = format!(
        r#"{{ "secret": "an access secret of at least 32 bytes", "store": "file:{}",
             "refresh": {{ "grace": 0, "unusedGrace": 0 }} }}"#,
        file.display()
    );
    Auth::from_json(&config).unwrap().build().unwrap()
}

/// The state of a session, from the output of the process that used it.
#[derive(Default)]
struct Known {
    newest: String,
    logout_begun: bool,
    logged_out: bool,
}

/// Runs only in a child process, until it is killed: prints which session it is about to revoke, and
/// what was acknowledged.
#[test]
fn victim() {
    let Some(file) = std::env::var_os(VICTIM) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let auth = auth_at(Path::new(&file));
        let user = Subject::new(format!("user of {}", std::process::id())).unwrap();
        for number in 0_u64.. {
            let pair = auth.login(Login::new(user.clone())).await.unwrap();
            let session = pair.session;
            let mut token = pair.refresh_token;
            say(&format!("newest {session} {}", token.expose()));
            for _ in 0..3 {
                let next = auth.refresh(RefreshRequest::new(token.expose())).await.unwrap();
                token = next.refresh_token.unwrap();
                say(&format!("newest {session} {}", token.expose()));
            }
            if number % 2 == 0 {
                say(&format!("ending {session} -"));
                auth.logout(token.expose()).await.unwrap();
                say(&format!("ended {session} -"));
            }
        }
    });
}

/// Writes one line unbuffered, bypassing the test harness.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn start(file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::victim", "--nocapture"])
        .env(VICTIM, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads `lines` acknowledgements, kills the process, and reads the rest of its output.
fn kill_after(mut child: Child, lines: usize, known: &mut HashMap<String, Known>) {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut take = |line: &str| {
        let Some(line) = line.split_once('@').map(|(_, line)| line) else { return };
        let mut words = line.split(' ');
        let (Some(what), Some(session), Some(token)) = (words.next(), words.next(), words.next())
        else {
            panic!("{line}");
        };
        let session = known.entry(session.to_owned()).or_default();
        match what {
            "newest" => token.clone_into(&mut session.newest),
            "ending" => session.logout_begun = true,
            "ended" => session.logged_out = true,
            other => panic!("{other}"),
        }
    };
    for line in output.by_ref().lines().take(lines) {
        take(&line.unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    // The kill may have cut the last line short.
    let whole = rest.rfind('\n').map_or("", |end| &rest[..end]);
    whole.lines().for_each(take);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_changes_survive_kills_and_sign_nobody_out() {
    let rounds = match std::env::var("REGRANT_KILLS") {
        Ok(kills) => kills.parse::<usize>().expect("REGRANT_KILLS is a number").div_ceil(2),
        Err(_) => 8,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.db");
    let (mut honest, mut revoked, mut open) = (0, 0, 0);
    for round in 0..rounds {
        let mut known = HashMap::new();
        let children = [start(&file), start(&file)];
        for (place, child) in children.into_iter().enumerate() {
            kill_after(child, 20 + (round * 7 + place * 13) % 61, &mut known);
        }
        let auth = auth_at(&file);
        for (session, Known { newest, logout_begun, logged_out }) in &known {
            let outcome = auth.refresh(RefreshRequest::new(newest)).await;
            match (outcome, logged_out, logout_begun) {
                (Ok(_), false, false) => honest += 1,
                (Err(error), true, _) if error.code() == ErrorCode::SessionRevoked => revoked += 1,
                // Killed between the request and its acknowledgement: either outcome is correct.
                (Ok(_), false, true) => open += 1,
                (Err(error), false, true) if error.code() == ErrorCode::SessionRevoked => open += 1,
                (outcome, ..) => panic!("round {round}, {session}: {outcome:?}"),
            }
        }
        drop(auth);
    }
    let kills = rounds * 2;
    report(format!(
        "kills: {kills} processes killed; honest clients refused 0 of {honest}; acknowledged \
         logouts forgotten 0 of {revoked}; cut off in between {open}"
    ));
    assert!(honest >= rounds && revoked >= rounds, "{honest} {revoked}");
}
