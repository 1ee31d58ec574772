//! The corpus `tests/vectors/refresh-tokens.json`: refresh tokens that this server rejects.

use std::sync::Arc;

use regrant::types::{Clock, ManualClock, Timestamp};
use regrant::{Auth, RefreshRequest};
use serde_json::{Value, json};

use crate::support::vector_json;

#[tokio::test]
async fn every_refresh_vector_has_the_expected_result() {
    let file: Value = vector_json("refresh-tokens.json");
    let cases = file["cases"].as_array().unwrap();
    let secret = &vector_json::<Value>("access/signatures.json")["secret"];
    let config = json!({ "secret": secret, "store": "memory:" }).to_string();
    let now = cases[0]["now"].as_i64().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(now)));
    let auth = Auth::from_json(&config).unwrap().clock(clock as Arc<dyn Clock>).build().unwrap();
    for case in cases {
        assert_eq!(case["now"].as_i64(), Some(now));
        let token = case["token"].as_str().unwrap();
        let error = auth.refresh(RefreshRequest::new(token)).await.unwrap_err();
        assert_eq!(error.code().as_str(), case["expect"]["code"], "{}", case["name"]);
    }
    assert_eq!(file["count"].as_u64(), Some(cases.len() as u64));
    println!("{} refresh tokens", cases.len());
}
