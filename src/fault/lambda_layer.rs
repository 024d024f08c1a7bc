//! `lambda_layer`: adds a layer to a function, or takes one away.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::{self, Configuration, LAYERS, ready, settings};
use super::settings::SettingsChange;
use super::switch::Cover;
use super::target::TargetNeed;
use crate::unit::TargetId;

/// AWS: the most layers of a function.
const LAYERS_MAX: usize = 5;

/// Adds a layer after all others, or takes one away; the others keep their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaLayer {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// The ARN of a layer version to add: `arn:aws:lambda:eu-west-1:123456789012:layer:slow:3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<String>,
    /// The ARN of a layer version to take away, or the layer's name for whichever version is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<String>,
}

impl LambdaLayer {
    /// The layers with this change made.
    fn changed(&self, found: &[String]) -> Result<Vec<String>, &'static str> {
        let mut layers = found.to_vec();
        if let Some(wanted) = &self.remove {
            let is_it = |arn: &String| arn == wanted || arn.rsplit(':').nth(1) == Some(wanted.as_str());
            let place = layers.iter().position(is_it).ok_or("it does not have the layer that is to be removed")?;
            layers.remove(place);
        }
        if let Some(added) = &self.add {
            if layers.contains(added) {
                return Err("it has the layer already that is to be added");
            }
            layers.push(added.clone());
        }
        if layers.len() > LAYERS_MAX {
            Err("it would have more than the five layers that AWS allows")
        } else {
            Ok(layers)
        }
    }
}

impl Fault for LambdaLayer {
    type Change = SettingsChange<Configuration>;
    const ABOUT: About = About {
        effect: "the function runs with other code beside its own: an extension more, or a library less",
        undo: "UpdateFunctionConfiguration with the former list of layers, in its order",
        blast_radius: "every invocation of `$LATEST`; new environments start cold, twice",
    };
    const TARGET: TargetNeed = TargetNeed::Latest;
    const CALLS: Calls = Calls {
        inject: &["lambda:GetFunctionConfiguration", "lambda:GetLayerVersion", "lambda:UpdateFunctionConfiguration"],
        undo: &["lambda:GetFunctionConfiguration", "lambda:GetLayerVersion", "lambda:UpdateFunctionConfiguration"],
    };

    fn objections(&self) -> Vec<Objection> {
        if self.add.is_none() && self.remove.is_none() {
            return vec![Objection::nothing("add `add: ARN` or `remove: NAME`")];
        }
        let is_version = |arn: &String| arn.starts_with("arn:") && arn.split(':').count() == 8;
        let message = |arn: &String| format!("`{arn}` is not the ARN of a layer version");
        let help = "write it whole: `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION`";
        let bad = self.add.iter().filter(|arn| !is_version(arn));
        bad.map(|arn| Objection::value("add", "invalid-value", message(arn), help)).collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Configuration>, FaultError> {
        let function = environment.function(&self.target)?;
        let found = ready(environment, function).await?;
        let layers = self.changed(&found.layers).map_err(|why| FaultError::not_safe(function, why))?;
        let injected = (!layers.is_empty()).then(|| layers.into());
        let injected = BTreeMap::from([(LAYERS.to_owned(), injected)]);
        Ok(SettingsChange::new(Configuration::of(function), &settings(&found), injected))
    }

    fn text(&self) -> ChangeText {
        let add = self.add.iter().map(|arn| format!("add layer {arn} to"));
        let remove = self.remove.iter().map(|name| format!("take layer {name} from"));
        ChangeText {
            change: format!("{} `{}`", add.chain(remove).collect::<Vec<_>>().join(" and "), self.target),
            undo: "put the former list of layers back".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![LAYERS.to_owned()]
    }

    fn cover(&self) -> Cover {
        configuration::COVER
    }
}

#[cfg(test)]
mod tests {
    use super::super::owed;
    use super::super::testing::Field;
    use super::*;
    use crate::fault::{FaultKind, Reverted};

    fn layer(name: &str) -> String {
        format!("arn:aws:lambda:eu-west-1:123456789012:layer:{name}:1")
    }

    fn change(add: Option<&str>, remove: Option<&str>) -> LambdaLayer {
        LambdaLayer { target: "checkout".parse().unwrap(), add: add.map(layer), remove: remove.map(str::to_owned) }
    }

    #[tokio::test(start_paused = true)]
    async fn it_owes_what_every_fault_on_a_function_owes() {
        owed::all(&FaultKind::LambdaLayer(change(Some("slow"), None)), &[Field::Layers]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_layer_in_the_middle_comes_back_to_its_place() {
        let fake = owed::checkout();
        let before = vec![layer("first"), layer("second"), layer("third")];
        fake.change(|state| state.layers.clone_from(&before));
        let undo = fake.injected(&FaultKind::LambdaLayer(change(None, Some("second")))).await;
        assert_eq!(fake.state().layers, [layer("first"), layer("third")]);
        assert_eq!(undo.revert(&fake.environment()).await.unwrap(), Reverted::Restored);
        assert_eq!(fake.state().layers, before);
    }

    #[test]
    fn what_can_not_be_added_or_taken_away_is_refused() {
        let found = vec![layer("first")];
        assert!(change(Some("first"), None).changed(&found).is_err());
        assert!(change(None, Some("other")).changed(&found).is_err());
        assert!(change(Some("sixth"), None).changed(&["a", "b", "c", "d", "e"].map(layer)).is_err());
        assert!(!change(None, None).objections().is_empty());
        let bad = LambdaLayer { add: Some("slow".to_owned()), ..change(None, None) };
        assert!(!bad.objections().is_empty());
    }
}
