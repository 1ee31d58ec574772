//! The core itself, without a framework.

use regrant::http::{
    EndpointResponse, Endpoints, Guard, RefreshInput, Rejection, RequestBody, RequestHead,
    Requirement, SessionSelector, WebPolicy,
};
use regrant::{Error, Language};
use serde_json::{Value, json};

use super::run_all;
use super::world::{Reply, World};

async fn respond(world: &World, web: &WebPolicy, case: &Value) -> Option<Reply> {
    let request = &case["request"];
    let text = |value: &'_ Value| value.as_str().unwrap().to_owned();
    let (method, target) = (text(&request["method"]), text(&request["target"]));
    let mut head = RequestHead::new(&method, &target);
    for header in request["headers"].as_array().unwrap() {
        head = head.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
    }
    if let Some(https) = request["https"].as_bool() {
        head = head.https(https);
    }
    let body = match case["parsed"] == false {
        true => RequestBody::Unread,
        false => RequestBody::Parsed(request["body"]["refreshToken"].as_str()),
    };
    let outcome = endpoint(world, web, case, &head, body).await;
    Some(outcome.unwrap_or_else(|rejection| rejection.response(Language::En).into()))
}

impl From<EndpointResponse> for Reply {
    fn from(response: EndpointResponse) -> Self {
        let headers = response.headers.into_iter();
        Self {
            status: response.status,
            headers: headers.map(|(name, value)| (name.to_owned(), value)).collect(),
            cookies: response.cookies,
            body: response.body.unwrap_or_default(),
        }
    }
}

/// A response of the test's own route.
fn plain(status: u16, body: Value) -> Reply {
    Reply { status, headers: Vec::new(), cookies: Vec::new(), body }
}

async fn endpoint(
    world: &World,
    web: &WebPolicy,
    case: &Value,
    head: &RequestHead<'_>,
    body: RequestBody<'_>,
) -> Result<Reply, Rejection> {
    let endpoints = Endpoints::new(&world.auth, web);
    let mut guard = Guard::new(world.auth.clone(), web.clone());
    if let Some(response) = guard.preflight(head) {
        return Ok(response.into());
    }
    let route = case["route"].as_str().unwrap();
    // Routing by method is the framework's.
    if matches!(route, "refresh" | "logout") && head.method() != "POST" {
        return Ok(plain(405, Value::Null));
    }
    match route {
        "refresh" => {
            let presented = endpoints.presented(head, body).await?;
            Ok(endpoints.refresh(&presented, head, RefreshInput::default()).await?.into())
        }
        "logout" => Ok(endpoints.logout(head, body).await?.into()),
        "sessions" => {
            let access = guard.check(head).await?.ok_or(Error::TokenMissing)?;
            let path = head.path_and_query().into_owned();
            let selector = SessionSelector::parse(path.strip_prefix("/auth/sessions/"));
            Ok(endpoints.sessions(access.subject(), access.session(), head, selector).await?.into())
        }
        _ => {
            match route {
                "guard" => {}
                "guard-optional" => guard = guard.optional(),
                "guard-scope" => guard = guard.require(Requirement::default().scopes(["read"])),
                other => panic!("{other}"),
            }
            let access = guard.check(head).await?;
            let subject = access.map(|access| access.subject().as_str().to_owned());
            Ok(plain(200, json!({ "subject": subject })))
        }
    }
}

#[tokio::test]
async fn the_core_responds_as_the_vectors_say() {
    assert!(run_all(respond).await > 150);
}
