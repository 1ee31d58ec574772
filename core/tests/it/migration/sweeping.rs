//! The sweep of the legacy store.

use regrant::migration::{SweepOptions, SweepReport};
use regrant::{Error, Result};

use super::{DAY, START, World, assert_code, subject};

async fn sweep(world: &World, dry_run: bool, remove_dead: bool) -> Result<SweepReport> {
    let mut options = SweepOptions::default();
    options.dry_run = dry_run;
    options.remove_dead = remove_dead;
    world.auth.sweep_legacy_tokens(options, |_| ()).await
}

/// Sweeps until nothing is migrated: removing keys shifts the fake's pages.
async fn sweep_all(world: &World) -> u64 {
    let mut converted = 0;
    loop {
        match sweep(world, false, false).await.unwrap().converted {
            0 => return converted,
            more => converted += more,
        }
    }
}

#[tokio::test]
async fn swept_tokens_become_sessions_and_stay_valid() {
    let world = World::new();
    let tokens: Vec<_> =
        (0..20).map(|n| world.old.login("1@mail", START - n, Some(14 * DAY))).collect();
    world.refresh(&tokens[0]).await.unwrap();
    assert_eq!(sweep_all(&world).await, 20);
    assert_eq!(world.events().iter().filter(|event| *event == "adopted").count(), 20);
    assert!(world.old.contents().raw.is_empty(), "no legacy token is left");
    let notes = format!("{:?}", world.old.contents().marks);
    for token in &tokens {
        assert!(!notes.contains(token.rsplit_once('.').unwrap().1));
        world.refresh_as(token, "1").await.unwrap();
    }
    assert_eq!(world.auth.sessions(&subject("1"), None).await.unwrap().len(), 20);
    assert!(world.auth.logout(&tokens[3]).await.unwrap());
    assert_code(world.refresh(&tokens[3]).await, "ERR_SESSION_REVOKED");
}

#[tokio::test]
async fn an_interrupted_sweep_can_be_started_again() {
    let world = World::new();
    let tokens: Vec<_> = (0..7).map(|n| world.old.login("1", START - n, None)).collect();
    for fails in 1..40 {
        world.old.contents().fails = fails;
        let outcome = sweep(&world, false, false).await;
        assert!(matches!(outcome, Ok(_) | Err(Error::StoreUnavailable { .. })), "{outcome:?}");
        world.old.contents().fails = 0;
        for token in &tokens {
            world.refresh(token).await.unwrap();
        }
    }
    assert!(world.old.contents().raw.is_empty());
    assert_eq!(world.auth.sessions(&subject("1"), None).await.unwrap().len(), 7);
}

#[tokio::test]
async fn a_sweep_counts_all_keys_and_changes_only_legacy_tokens() {
    let world = World::new();
    let good = world.old.login("1", START, None);
    world.old.login("1", START - 100, Some(100));
    world.old.login("gone", START - 1, None);
    world.old.contents().raw.insert("some:other:key".to_owned(), "of the app".to_owned());
    world.old.contents().raw.insert(good.replace('.', "x"), "1".to_owned());

    let count = |report: SweepReport| {
        let SweepReport { converted, expired, unknown_users, foreign, removed, .. } = report;
        [converted, expired, unknown_users, foreign, removed].map(|number| number.min(1))
    };
    assert_eq!(count(sweep(&world, true, true).await.unwrap()), [1, 1, 1, 1, 0]);
    assert_eq!(world.old.contents().raw.len(), 5, "nothing was changed");
    assert!(world.old.contents().marks.is_empty());
    sweep_all(&world).await;
    assert_eq!(world.old.contents().raw.len(), 4);
    for _ in 0..3 {
        sweep(&world, false, true).await.unwrap();
    }
    let left: Vec<_> = world.old.contents().raw.keys().cloned().collect();
    assert_eq!(left.len(), 2, "only keys that are not legacy tokens: {left:?}");
}

#[tokio::test]
async fn a_logout_during_a_sweep_takes_effect() {
    let world = World::new();
    let token = world.old.login("1", START, None);
    world.old.contents().logged_out_after_look = Some(token.clone());
    let report = sweep(&world, false, false).await.unwrap();
    assert_eq!((report.converted, report.logged_out), (0, 1));
    assert_code(world.refresh(&token).await, "ERR_SESSION_UNKNOWN");
}

#[tokio::test]
async fn a_sweep_reports_progress_and_needs_the_option() {
    let world = World::new();
    for n in 0..7 {
        world.old.login("1", START - n, None);
    }
    let mut seen = Vec::new();
    let mut options = SweepOptions::default();
    options.dry_run = true;
    let last = world.auth.sweep_legacy_tokens(options, |so_far| seen.push(*so_far)).await.unwrap();
    assert!(seen.len() > 2 && seen.is_sorted_by_key(|so_far| so_far.scanned));
    assert_eq!(seen.last(), Some(&last));

    let plain = r#"{ "secret": "old", "allowShortSecret": true, "store": "memory:" }"#;
    let plain = regrant::Auth::from_json(plain).unwrap().build().unwrap();
    let outcome = plain.sweep_legacy_tokens(SweepOptions::default(), |_| ()).await;
    assert_code(outcome, "ERR_CONFIG_INVALID");
}
