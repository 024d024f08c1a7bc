//! Points around every call at which a crash test can end the process: before it is sent, and after its answer has come.

use aws_sdk_lambda::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_lambda::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_lambda::error::BoxError;

use crate::unit::Failpoints;

/// A part of a client that reaches a failpoint on either side of each attempt.
#[derive(Debug, Clone)]
pub(super) struct AroundCalls(pub(super) Failpoints);

impl Intercept for AroundCalls {
    fn name(&self) -> &'static str {
        "AroundCalls"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.reach();
        Ok(())
    }

    fn read_after_transmit(
        &self,
        _context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.reach();
        Ok(())
    }
}
