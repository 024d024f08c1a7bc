//! STS GetCallerIdentity, so that a program that checks its account finds the sandbox's.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;

use super::ApiError;
use crate::sandbox::account::Account;

/// The user that a sandbox says its caller is.
const USER: &str = "gameday-sandbox";

/// The query protocol: a form in, XML out.
pub(super) fn query(account: &Account, body: &[u8]) -> Response {
    let form = String::from_utf8_lossy(body);
    let action = form.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
    if action != "GetCallerIdentity" {
        return ApiError::UnknownOperation(format!("POST / Action={action}")).into_response();
    }
    let account_id = &account.context.account_id;
    let request_id = Uuid::new_v4();
    let xml = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{account_id}:user/{USER}</Arn><UserId>{USER}</UserId><Account>{account_id}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    );
    (StatusCode::OK, [(CONTENT_TYPE, "text/xml")], xml).into_response()
}
