//! Loads that invoke functions and send messages: to the sandbox, and to two emulators that other people wrote, of which one
//! verifies signatures and permissions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::any;
use gameday::load::{LoadPlan, LoadSpec, Targets};
use gameday::unit::{AwsAccess, Clock};
use serde_json::{Value, json};

use crate::least_privilege::{actions, as_user, create_users, without};
use crate::load_rig::run;
use crate::peers::{create_functions, python, script, start_ministack, start_moto, stop};
use crate::support::{Output, Workspace, free_port};

const SERVICES: &str = "events,iam,kinesis,lambda,logs,sns,sqs,sts";

const TARGETS: &str = r#"
  orders:  {queue: {name: orders}}
  strict:  {queue: {name: orders.fifo}}
  news:    {topic: {name: news}}
  shop:    {bus: {name: shop}}
  clicks:  {stream: {name: clicks}}
"#;

/// Each text holds what must be escaped where it stands.
const STEPS: &str = r#"
          - {send: {to: orders, attributes: {tenant: "a & \"b\""}}, json: {text: "käse & \"brot\"", number: "${n}"}}
          - {send: {to: strict, group: "g ${n}", deduplication: "${uuid}"}, body: "line\nline"}
          - {send: {to: news, subject: "a=b&c", attributes: {tenant: "x=y&z"}}, json: {text: "100 % & more"}}
          - {send: {to: shop, source: shop.load, detail_type: "Order & placed"}, json: {order: "${n}", text: "\"q\""}}
          - {send: {to: clicks, key: "k-${n}"}, body: "a \"click\" of ${n}"}
"#;

fn scenario(targets: &str, steps: &str) -> String {
    format!(
        r#"
gameday: 1
id: calls
title: Messages are taken
owner: me
environments: {{allow: [emulator]}}
targets: {targets}
signals: {{ok: {{level: ux, load: {{of: callers, stat: success_ratio}}}}}}
hypotheses: [{{id: H1, text: All are taken, expect: "mean(ok) >= 100%"}}]
load:
  callers:
    journeys:
      - name: call
        steps:
          - {{set: {{n: 17}}}}{steps}
    shape: [{{hold: 3s, at: 5/s}}]
timeline: [{{phase: load, for: 4s, do: [{{at: 0s, load: callers}}]}}]
"#
    )
}

const LOAD: [&str; 5] = ["load", "scenarios/calls.yaml", "--env", "emulator", "--json"];

/// A load came to what it should; a machine that is too busy to send in time says so, and is believed.
fn assert_ended(output: &Output, code: i32) {
    let is_doubtful = || summary(output)["seconds_doubtful"].as_u64().is_some_and(|seconds| seconds > 0);
    assert!(output.code() == code || (output.code() == 6 && is_doubtful()), "{output:#?}");
}

/// The summary of the one load.
fn summary(output: &Output) -> Value {
    let answer: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:#?}"));
    answer["loads"][0].clone()
}

fn of_receivers(workspace: &Workspace, arguments: &[&str]) -> Output {
    let mut python = python("receivers").expect("there is one");
    let output = workspace.start_command(python.arg(script("load_receivers.py")).args(arguments)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    output
}

/// Where the messages of each step end.
const ENDS: [(&str, &str); 5] = [
    ("orders", "send orders"),
    ("orders.fifo", "send strict"),
    ("from-topic", "send news"),
    ("from-bus", "send shop"),
    ("clicks", "send clicks"),
];

/// What every receiver got is what was sent, as often as the load says.
fn check_received(workspace: &Workspace, endpoint: &str, all: &Value) {
    let sent = |step: &str| {
        let steps = all["steps"].as_array().expect("steps");
        let of_step = steps.iter().find(|it| it["name"][1] == step).unwrap_or_else(|| panic!("no `{step}`: {all}"));
        assert_eq!(of_step["failed_count"], 0, "{of_step}");
        usize::try_from(of_step["ok_count"].as_u64().expect("a count")).expect("a small count")
    };
    let counts: BTreeMap<&str, usize> = ENDS.iter().map(|(name, step)| (*name, sent(step))).collect();
    let text = serde_json::to_string(&counts).expect("JSON");
    let output = of_receivers(workspace, &["received", endpoint, &text]);
    let received: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let of = |name: &str| {
        let messages = received[name].as_array().expect("messages").clone();
        assert_eq!(Some(&messages.len()), counts.get(name), "{name}");
        assert!(!messages.is_empty(), "{name}");
        messages
    };
    let parsed = |text: &Value| serde_json::from_str::<Value>(text.as_str().expect("a text")).expect("JSON");
    for message in of("orders") {
        assert_eq!(parsed(&message["body"]), json!({"text": "käse & \"brot\"", "number": 17}));
        assert_eq!(message["attributes"], json!({"tenant": "a & \"b\""}));
    }
    for message in of("orders.fifo") {
        assert_eq!((&message["body"], &message["group"]), (&json!("line\nline"), &json!("g 17")));
    }
    for message in of("from-topic") {
        let notification = parsed(&message["body"]);
        assert_eq!(parsed(&notification["Message"]), json!({"text": "100 % & more"}));
        assert_eq!(notification["Subject"], "a=b&c");
        assert_eq!(notification["MessageAttributes"]["tenant"]["Value"], "x=y&z");
    }
    for message in of("from-bus") {
        let event = parsed(&message["body"]);
        assert_eq!(event["detail"], json!({"order": 17, "text": "\"q\""}));
        assert_eq!((&event["source"], &event["detail-type"]), (&json!("shop.load"), &json!("Order & placed")));
    }
    for record in of("clicks") {
        assert_eq!(record, json!({"body": "a \"click\" of 17", "key": "k-17"}));
    }
}

#[test]
fn messages_arrive_as_they_were_written_signed_and_with_exactly_the_permissions_of_plan() {
    let Some(mut python) = python("a load that sends, on MiniStack") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let ministack = start_ministack(python.env("AUTH", "true"), &workspace, port, SERVICES);
    of_receivers(&workspace, &["create", &endpoint]);
    create_functions(&workspace, &endpoint);
    let environment = format!("gameday: 1\nenvironments: {{emulator: {{endpoint: \"{endpoint}\", profile: it}}}}\n");
    workspace.write("gameday.yaml", &environment);
    let targets = format!("{TARGETS}  orders-fn: {{lambda: {{function: orders}}}}\n");
    let invocation = "          - {invoke: orders-fn, json: {id: 1}, expect: {body: {json: {$.colour: red}}}}\n";
    workspace.write("scenarios/calls.yaml", &scenario(&targets, &format!("{STEPS}{invocation}")));
    let plan = workspace.gameday(&["plan", "scenarios/calls.yaml", "--env", "emulator", "--iam"]);
    let policies: Value = serde_json::from_str(&plan.stdout).unwrap_or_else(|_| panic!("two policies: {plan:#?}"));
    let inject = &policies["inject"];
    let calls = ["events:PutEvents", "kinesis:PutRecord", "lambda:InvokeFunction", "sns:Publish", "sqs:SendMessage"];
    assert!(calls.iter().all(|call| actions(inject).contains(&(*call).to_owned())), "{inject}");
    // MiniStack 1.5.33 takes the name of the bus that is described for that of a rule.
    let describe = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "events:DescribeEventBus", "Resource": "arn:aws:events:*:*:rule/default/shop"},
    ]});
    let mut users = BTreeMap::from([("exact".to_owned(), vec![inject.clone(), describe.clone()])]);
    users.insert("mute".to_owned(), vec![without(inject, "sqs:SendMessage"), describe]);
    create_users(&workspace, &endpoint, &users);

    let output = as_user(&workspace, "exact", &LOAD);
    assert_ended(&output, 0);
    let all = summary(&output);
    check_received(&workspace, &endpoint, &all);
    assert!(all["steps"].as_array().unwrap().iter().any(|step| step["name"][1] == "invoke orders-fn"), "{all}");

    let refused = as_user(&workspace, "mute", &LOAD);
    assert_ended(&refused, 3);
    let samples = summary(&refused).to_string();
    assert!(samples.contains("AccessDenied"), "{samples}");
    stop(ministack);
}

#[test]
fn a_second_emulator_takes_the_same_messages() {
    let Some(mut python) = python("a load that sends, on moto") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let moto = start_moto(&mut python, &workspace, port);
    of_receivers(&workspace, &["create", &endpoint]);
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{emulator: {{endpoint: \"{endpoint}\"}}}}\n"));
    workspace.write("scenarios/calls.yaml", &scenario(TARGETS, STEPS));
    let output = workspace.gameday(&LOAD);
    assert_ended(&output, 0);
    check_received(&workspace, &endpoint, &summary(&output));
    stop(moto);
}

#[test]
fn a_function_is_invoked_and_its_failures_are_told_apart() {
    let workspace = Workspace::empty();
    workspace.write(
        "gameday.yaml",
        "gameday: 1\nenvironments: {emulator: {functions: {probe: {demo: probe, timeout: 1s}, shut: {demo: probe, reserved: 0}}}}\n",
    );
    let targets = "\n  probe: {lambda: {function: probe}}\n  shut: {lambda: {function: shut}}\n";
    let steps = r#"
          - {name: queued, invoke: probe, invocation: event, json: {do: echo}, expect: {status: 202}}
          - {name: asked, invoke: probe, invocation: dry_run, expect: {status: 204}}
          - {name: answered, invoke: probe, cold_starts: true, json: {do: echo, n: "${n}"}, expect: {body: {json: {$.n: 17}}}, capture: {again: $.n}}
          - {name: text, invoke: probe, body: '{"do": "echo", "n": ${again}}', expect: {body: {contains: '"n":17'}}}
"#;
    let journeys = |steps: &str| scenario(targets, steps).replace("5/s", "3/s");
    workspace.write("scenarios/calls.yaml", &journeys(steps));
    let output = workspace.gameday(&LOAD);
    assert_ended(&output, 0);
    let all = summary(&output);
    assert_eq!(all["steps"].as_array().unwrap().len(), 4, "{all}");
    let [cold, told] = ["cold_start_count", "cold_start_told_count"].map(|key| all["all"][key].as_u64().unwrap_or(0));
    assert!(0 < cold && cold < told, "an environment starts once and answers several times: {all}");
    assert!(all["all"]["cold_start_ms"]["max"].as_f64().is_some_and(|max| max > 0.0), "{all}");
    assert!(output.stdout.contains("\"cold_start_count\""), "{}", output.stdout);

    for (step, kind, detail) in [
        ("{invoke: probe, json: {do: fail}}", "function_error", "the function failed: Probe.Failed"),
        ("{invoke: probe, json: {do: sleep, ms: 60000}}", "function_error", "the function failed: Sandbox.Timedout"),
        ("{invoke: shut, json: {do: echo}}", "throttled", "status 429 (TooManyRequestsException)"),
        ("{invoke: probe, body: 'no JSON, ${n}'}", "status", "status 400 (InvalidRequestContentException)"),
    ] {
        workspace.write("scenarios/calls.yaml", &journeys(&format!("\n          - {step}\n")));
        let output = workspace.gameday(&LOAD);
        assert_ended(&output, 3);
        let all = summary(&output);
        assert!(all["all"]["failures"][kind].as_u64().is_some_and(|count| count > 0), "{step}: {all}");
        assert!(all.to_string().contains(detail), "{step}: {all}");
    }
}

#[test]
fn what_can_not_be_called_is_told_before_anything_is() {
    let workspace = Workspace::new();
    std::fs::write(workspace.path().join("data.bin"), [0xff, 0xfe]).expect("written");
    let targets = "\n  fn: {lambda: {function: checkout-fn}}\n  queue: {queue: {name: orders.fifo}}\n  bus: {bus: {name: shop}}\n";
    for (step, told) in [
        ("{invoke: queue}", "`queue` is a queue, and `invoke` is for functions"),
        ("{send: fn, body: x}", "`fn` is a function, which takes no messages"),
        ("{invoke: nobody}", "no target is called `nobody`"),
        ("{send: [queue], body: x}", "the name of a target, or `{to: …}` with what goes along"),
        ("{send: {to: queue}, body: x}", "`orders.fifo` keeps the order within groups, and the message has none"),
        ("{send: {to: queue, group: a, subject: b}, body: x}", "a queue has no `subject`"),
        ("{send: {to: queue, group: a}}", "no message is sent"),
        ("{send: {to: bus, source: a, detail_type: b}, body: x}", "an event's detail is a JSON object"),
        ("{invoke: fn, body: 'no JSON'}", "a function takes JSON, and this is none"),
        ("{send: {to: queue, group: a}, file: data.bin}", "`data.bin` is no text, and only a stream takes bytes"),
        ("{invoke: fn, headers: {a: b}}", "`headers` is about a request of HTTP, and the step has `invoke`"),
        ("{get: 'http://127.0.0.1:9/', invocation: event}", "`invocation` has no `invoke`"),
        ("{invoke: probe, invocation: event, cold_starts: true}", "only an invocation whose answer is waited for"),
        ("{invoke: probe, invocation: dry_run, expect: {status: 200}}", "never answers such an invocation with `200`"),
        ("{get: 'http://127.0.0.1:9/', sign: 'Execute API'}", "`Execute API` is not what signatures call a service"),
        ("{invoke: fn, json: {a: '${nobody}'}}", "nothing captures `nobody` before this"),
        ("{send: {to: queue, group: '${nobody}'}, body: x}", "nothing captures `nobody` before this"),
    ] {
        workspace.write(
            "scenarios/calls.yaml",
            &scenario(targets, &format!("\n          - {step}\n")).replace("emulator", "sandbox"),
        );
        let output = workspace.gameday(&["check", "scenarios/calls.yaml"]);
        let text = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code(), 2, "{step}: {text}");
        assert!(text.contains(told), "{step}: {text}");
        assert!(text.contains("calls.yaml:"), "where it is: {text}");
    }
}

/// The sandbox looks for a signature; that ours are good is what the emulator that verifies them says above.
#[test]
fn a_request_of_http_is_signed_where_its_load_says_so_and_else_is_not() {
    const SCENARIO: &str = r#"
gameday: 1
id: signed
title: Who signs gets in
owner: me
targets: {shop: {lambda: {function: checkout-fn}}}
signals:
  in:  {level: ux, load: {of: signing, stat: success_ratio}}
  out: {level: ux, load: {of: others, stat: success_ratio}}
hypotheses:
  - {id: H1, text: Who signs gets in, expect: "mean(in) >= 100%"}
  - {id: H2, text: Who does not is refused, expect: "mean(out) >= 100%"}
faults: {closed: {lambda_function_url: {target: shop, auth: iam}}}
load:
  signing:
    base_url: "${shop.url}"
    sign: lambda
    journeys: [{name: j, steps: [{get: /items, query: {q: "a b"}, expect: {status: 200}}, {post: /basket, json: {item: 17}}]}]
    shape: [{hold: 3s, at: 5/s}]
  others:
    base_url: "${shop.url}"
    journeys:
      - name: j
        steps:
          - {get: /items, expect: {status: 403}}
          - {get: /items, sign: lambda, expect: {status: 200}}
    shape: [{hold: 3s, at: 5/s}]
timeline:
  - {phase: open, for: 2s, do: [{at: 0s, fault: closed}]}
  - {phase: load, for: 4s, do: [{at: 0s, load: signing}, {at: 0s, load: others}]}
"#;
    let workspace = Workspace::new();
    workspace.write("scenarios/signed.yaml", SCENARIO);
    let policies = workspace.gameday(&["plan", "scenarios/signed.yaml", "--iam"]).stdout;
    assert!(policies.contains("lambda:InvokeFunctionUrl"), "{policies}");
    let output = workspace.gameday(&["run", "scenarios/signed.yaml"]);
    assert!([0, 6].contains(&output.code()), "{output:#?}");
    let folder = workspace.run_folder().expect("a run");
    let read =
        |load: &str| std::fs::read_to_string(folder.join(format!("evidence/load-{load}.ndjson"))).expect("frames");
    for load in ["signing", "others"] {
        let frames = read(load);
        assert!(frames.contains("\"200\":") && !frames.contains("\"failures\":{\""), "{load}: {frames}");
    }
    assert!(read("others").contains("\"403\":"));
}

/// A server that notes every request, with whether it is signed, and redirects some of them.
async fn redirecting(to: Arc<Mutex<BTreeMap<&'static str, String>>>) -> (String, Arc<Mutex<Vec<(String, bool)>>>) {
    let seen = Arc::<Mutex<Vec<(String, bool)>>>::default();
    let noted = Arc::clone(&seen);
    let answer = move |request: Request| {
        let path = request.uri().path().to_owned();
        let is_signed = request.headers().contains_key("authorization");
        noted.lock().unwrap().push((path.clone(), is_signed));
        let location = to.lock().unwrap().get(path.as_str()).cloned();
        async move {
            match location {
                Some(location) => (StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response(),
                None => StatusCode::OK.into_response(),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

#[tokio::test]
async fn no_signature_goes_to_another_host_or_to_where_another_host_leads() {
    let (from_ours, from_theirs) = (Arc::default(), Arc::default());
    let (ours, seen_by_us) = redirecting(Arc::clone(&from_ours)).await;
    let (theirs, seen_by_them) = redirecting(Arc::clone(&from_theirs)).await;
    from_ours.lock().unwrap().extend([("/start", format!("{theirs}/other")), ("/again", "/final".to_owned())]);
    from_theirs.lock().unwrap().insert("/other", format!("{ours}/admin"));
    let yaml = format!(
        "{{base_url: '{ours}', sign: execute-api, redirects: 5, journeys: [{{name: j, steps: [{{post: /start}}, {{post: /again}}, \
         {{get: '{theirs}/named'}}]}}], shape: [{{hold: 1s, at: 2/s}}, {{hold: 1s, at: 0/s}}]}}"
    );
    let spec: LoadSpec = serde_yaml::from_str(&yaml).unwrap();
    let access = AwsAccess { endpoint: Some("http://127.0.0.1:9".to_owned()), region: None, profile: None, role: None };
    let targets = Targets { access: Some(&access), region: "us-east-1", ..Targets::NONE };
    let load = "signing".parse().unwrap();
    let no_file = |_: &str, _| panic!("it has none");
    let plan = LoadPlan::build(&load, &spec, Clock::start().origin(), 1, &targets, &no_file).unwrap();
    let outcome = run(&plan).await;
    assert_eq!(outcome.totals(None).failed, 0, "{:?}", outcome.totals(None).failures);
    let of = |seen: &Mutex<Vec<(String, bool)>>| seen.lock().unwrap().iter().cloned().collect::<BTreeSet<_>>();
    let pair = |(path, is_signed): (&str, bool)| (path.to_owned(), is_signed);
    let expected = [("/start", true), ("/admin", false), ("/again", true), ("/final", true)].map(pair);
    assert_eq!(of(&seen_by_us), BTreeSet::from(expected));
    assert_eq!(of(&seen_by_them), BTreeSet::from([("/other", false), ("/named", false)].map(pair)));
}
