//! What is asked of whoever makes the load, in the words of each.

use gameday::load::{AwsAddress, Callee, LoadPlan, LoadSpec, Targets};
use gameday::unit::{AwsAccess, Clock};

use crate::server::Nginx;

/// More than anybody can make on one core.
const FULL_SPEED: &str = "200000/s";

/// An invocation signed with k6's own cryptography (AWS: "Create a signed AWS API request"); its library for AWS, which does more
/// for each request, is in no registry.
const K6_INVOCATION: &str = "
    const hmac = (key, text) => crypto.hmac('sha256', key, text, 'binary');
    const host = 'URL'.replace('http://', ''), path = '/2015-03-31/functions/fn/invocations';
    const body = JSON.stringify({ order: 17 });
    const time = new Date().toISOString().replace(/[:-]|\\.\\d{3}/g, ''), day = time.slice(0, 8);
    const headers = { host, 'x-amz-date': time, 'x-amz-invocation-type': 'RequestResponse' };
    const names = Object.keys(headers).join(';');
    const canonical = Object.entries(headers).map(([name, value]) => name + ':' + value + '\\n').join('');
    const request = ['POST', path, '', canonical, names, crypto.sha256(body, 'hex')].join('\\n');
    const scope = day + '/us-east-1/lambda/aws4_request';
    const text = ['AWS4-HMAC-SHA256', time, scope, crypto.sha256(request, 'hex')].join('\\n');
    const key = hmac(hmac(hmac(hmac('AWS4secret', day), 'us-east-1'), 'lambda'), 'aws4_request');
    const signature = crypto.hmac('sha256', key, text, 'hex');
    headers.authorization =
        'AWS4-HMAC-SHA256 Credential=key/' + scope + ', SignedHeaders=' + names + ', Signature=' + signature;
    check(http.post('URL' + path, body, { headers }), { ok: (answer) => answer.status === 200 });";

/// Fifty of them at once, as many as they can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// A file of 1 KB.
    File,
    /// The same with TLS.
    TlsFile,
    /// A function, with a signature.
    Invoke,
    /// Three requests with captures and checks.
    Journey,
    /// A file, asked for by fifty users without a rest.
    Users,
}

impl Task {
    /// How many requests it takes once.
    pub(crate) fn requests(self) -> f64 {
        match self {
            Self::Journey => 3.0,
            Self::File | Self::TlsFile | Self::Invoke | Self::Users => 1.0,
        }
    }

    /// The URL that a program is given that knows one.
    pub(crate) fn url(self, nginx: &Nginx) -> String {
        match self {
            Self::File | Self::Users => format!("{}/1k", nginx.url),
            Self::TlsFile => format!("{}/1k", nginx.tls_url),
            Self::Invoke | Self::Journey => nginx.url.clone(),
        }
    }

    /// As a scenario would write it.
    pub(crate) fn plan(self, nginx: &Nginx, seconds: u32) -> LoadPlan {
        let (level, limit) = match self {
            Self::Users => ("50 users", ""),
            _ => (FULL_SPEED, "in_flight_max: 50, "),
        };
        let url = self.url(nginx);
        let steps = match self {
            Self::File | Self::TlsFile | Self::Users => {
                format!("{{name: file, get: '{url}', expect: {{status: 200, within: 10s}}}}")
            }
            Self::Invoke => "{name: invoke, invoke: fn, json: {order: 17}, expect: {status: 200}}".to_owned(),
            Self::Journey => format!(
                "{{name: browse, get: '{url}/items', expect: {{status: 200}}, capture: {{item: '$.items[0].id'}}}},
                 {{name: basket, post: '{url}/basket', json: {{item: '${{item}}'}}, expect: {{status: 201}}, capture: {{basket: $.id}}}},
                 {{name: look, get: '{url}/basket/${{basket}}', expect: {{status: 200, body: {{json: {{$.total: 40}}}}}}}}"
            ),
        };
        let shape = format!("[{{hold: {seconds}s, at: {level}}}]");
        let plan =
            plan_of(&format!("{{{limit}shape: {shape}, journeys: [{{name: look, steps: [{steps}]}}]}}"), &nginx.url);
        LoadPlan { authorities: vec![nginx.authority.clone()], ..plan }
    }

    /// The body of k6's function.
    pub(crate) fn k6(self, nginx: &Nginx) -> Option<String> {
        let url = self.url(nginx);
        match self {
            Self::File | Self::TlsFile => {
                Some(format!("check(http.get('{url}'), {{ ok: (answer) => answer.status === 200 }});"))
            }
            Self::Journey => Some(format!(
                "const items = http.get('{url}/items');
                 if (!check(items, {{ ok: (answer) => answer.status === 200 }})) return;
                 const item = items.json('items.0.id');
                 const basket = http.post('{url}/basket', JSON.stringify({{ item }}), {{ headers: {{ 'content-type': 'application/json' }} }});
                 if (!check(basket, {{ ok: (answer) => answer.status === 201 }})) return;
                 check(http.get('{url}/basket/' + basket.json('id')), {{ ok: (answer) => answer.status === 200 && answer.json('total') === 40 }});"
            )),
            Self::Invoke => Some(K6_INVOCATION.replace("URL", &url)),
            Self::Users => None,
        }
    }
}

/// A plan of a load whose target `fn` is a function at `endpoint`.
pub(crate) fn plan_of(yaml: &str, endpoint: &str) -> LoadPlan {
    let spec: LoadSpec = serde_yaml::from_str(yaml).expect("a load");
    let load = "bench".parse().expect("a name");
    let no_file = |_: &str, _| panic!("it has no file");
    let access = AwsAccess { endpoint: Some(endpoint.to_owned()), region: None, profile: None, role: None };
    let address = AwsAddress {
        endpoint: endpoint.to_owned(),
        region: "us-east-1".to_owned(),
        callee: Callee::Function { function: "fn".to_owned(), qualifier: None },
    };
    let targets = Targets { address: &|_| Some(address.clone()), access: Some(&access), ..Targets::NONE };
    LoadPlan::build(&load, &spec, Clock::start().origin(), 1, &targets, &no_file).expect("a plan")
}
