//! Where a service is, and for which Region its requests are signed.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

/// A service, as its requests are addressed and signed.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its name in IAM and in what is signed, and the first word of its host: `ssm`.
    pub(crate) name: &'static str,
    /// The SDK's id of it, which names `AWS_ENDPOINT_URL_<ID>` and the `services` section of a profile: `SSM`.
    pub(crate) id: &'static str,
    /// Whether it has one host a partition, and is signed for that partition's first Region: IAM.
    pub(crate) is_global: bool,
}

/// Where requests go: the URL without a slash at its end, and the Region that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) region: String,
}

/// A part of AWS that shares nothing with the others: host names and IAM are its own.
struct Partition {
    /// The Region for which global services are signed. Source: AWS, "Signing AWS API requests"; botocore's partitions.json.
    global_region: &'static str,
    /// What hosts end with.
    suffix: &'static str,
    /// IAM's only host.
    iam_host: &'static str,
}

const AWS: Partition = Partition { global_region: "us-east-1", suffix: "amazonaws.com", iam_host: "iam.amazonaws.com" };
const CHINA: Partition =
    Partition { global_region: "cn-north-1", suffix: "amazonaws.com.cn", iam_host: "iam.cn-north-1.amazonaws.com.cn" };
const US_GOV: Partition =
    Partition { global_region: "us-gov-west-1", suffix: "amazonaws.com", iam_host: "iam.us-gov.amazonaws.com" };

/// Regions of partitions whose hosts are not known here.
const FOREIGN_REGIONS: &[&str] = &["us-iso", "eu-iso", "eusc-"];

/// The partition of a Region, or what is wrong with it.
fn partition(region: &str) -> Result<&'static Partition, String> {
    let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || !region.bytes().all(is_label) {
        return Err(format!("`{region}` is not the name of a Region"));
    }
    if FOREIGN_REGIONS.iter().any(|prefix| region.starts_with(prefix)) {
        return Err(format!("the hosts of Region `{region}` are not known: name them with AWS_ENDPOINT_URL"));
    }
    if region.starts_with("cn-") {
        Ok(&CHINA)
    } else if region.starts_with("us-gov-") {
        Ok(&US_GOV)
    } else {
        Ok(&AWS)
    }
}

/// The endpoint of a service: the one that was connected to, else what the environment and the profile name for this
/// service or for all (`AWS_ENDPOINT_URL_<ID>`, `AWS_ENDPOINT_URL`, `services`), else AWS's own, as the SDK's clients do it.
///
/// # Errors
/// Says what is missing: a Region, a Region of a partition that is known, or an endpoint of the FIPS kind.
pub(super) fn endpoint(configuration: &SdkConfig, service: &Service) -> Result<Endpoint, String> {
    let region = configuration.region().ok_or("no Region is configured")?.as_ref();
    let named = configured_url(configuration, service);
    let signing_region = || match partition(region) {
        Ok(partition) if service.is_global => partition.global_region.to_owned(),
        Ok(_) | Err(_) => region.to_owned(),
    };
    if let Some(url) = named {
        return Ok(Endpoint { url: url.trim_end_matches('/').to_owned(), region: signing_region() });
    }
    let partition = partition(region)?;
    if configuration.use_fips() == Some(true) {
        return Err("the hosts for FIPS are not known: name them with AWS_ENDPOINT_URL".to_owned());
    }
    let host = if service.is_global {
        partition.iam_host.to_owned()
    } else {
        format!("{}.{region}.{}", service.name, partition.suffix)
    };
    Ok(Endpoint { url: format!("https://{host}"), region: signing_region() })
}

/// An endpoint that somebody named.
pub(crate) fn configured_url(configuration: &SdkConfig, service: &Service) -> Option<String> {
    let for_all = configuration.endpoint_url().map(str::to_owned);
    if configuration.get_origin("endpoint_url").is_client_config() {
        return for_all;
    }
    let key = ServiceConfigKey::builder()
        .service_id(service.id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .expect("invariant: all three are given");
    configuration.service_config().and_then(|services| services.load_config(key)).or(for_all)
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};
    use aws_types::service_config::LoadServiceConfig;

    use super::*;

    const SSM: Service = Service { name: "ssm", id: "SSM", is_global: false };
    const IAM: Service = Service { name: "iam", id: "IAM", is_global: true };

    fn configuration(region: &'static str) -> aws_types::sdk_config::Builder {
        SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new(region))
    }

    fn at(configuration: &SdkConfig, service: &Service) -> (String, String) {
        let Endpoint { url, region } = endpoint(configuration, service).unwrap();
        (url, region)
    }

    fn pair(url: &str, region: &str) -> (String, String) {
        (url.to_owned(), region.to_owned())
    }

    /// The hosts are those that botocore 1.43.106 resolves.
    #[test]
    fn hosts_and_signing_regions_follow_the_partition() {
        for (region, ssm, iam, signed) in [
            ("eu-central-1", "https://ssm.eu-central-1.amazonaws.com", "https://iam.amazonaws.com", "us-east-1"),
            (
                "cn-northwest-1",
                "https://ssm.cn-northwest-1.amazonaws.com.cn",
                "https://iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "us-gov-east-1",
                "https://ssm.us-gov-east-1.amazonaws.com",
                "https://iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
        ] {
            let configuration = configuration(region).build();
            assert_eq!(at(&configuration, &SSM), pair(ssm, region));
            assert_eq!(at(&configuration, &IAM), pair(iam, signed));
        }
    }

    #[test]
    fn a_region_that_is_none_or_foreign_is_refused() {
        for region in ["us-iso-east-1", "eusc-de-east-1", "x.example.com/", "", "EU"] {
            assert!(endpoint(&configuration(region).build(), &SSM).is_err(), "{region}");
        }
        let fips = configuration("us-east-1").use_fips(true).build();
        assert!(endpoint(&fips, &SSM).unwrap_err().contains("FIPS"));
        let nowhere = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        assert!(endpoint(&nowhere, &SSM).unwrap_err().contains("no Region"));
    }

    #[derive(Debug)]
    struct OnlySsm;

    impl LoadServiceConfig for OnlySsm {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            (key.service_id() == "SSM").then(|| "http://127.0.0.1:2".to_owned())
        }
    }

    #[test]
    fn an_endpoint_for_one_service_goes_before_one_for_all_and_one_that_was_given_before_both() {
        let mut builder = configuration("us-east-1").endpoint_url("http://127.0.0.1:1/").service_config(OnlySsm);
        builder.insert_origin("endpoint_url", aws_types::origin::Origin::shared_environment_variable());
        let from_environment = builder.build();
        assert_eq!(at(&from_environment, &SSM), pair("http://127.0.0.1:2", "us-east-1"));
        assert_eq!(at(&from_environment, &IAM), pair("http://127.0.0.1:1", "us-east-1"));

        let mut builder = configuration("us-east-1").endpoint_url("http://127.0.0.1:1/base/").service_config(OnlySsm);
        builder.insert_origin("endpoint_url", aws_types::origin::Origin::shared_config());
        assert_eq!(at(&builder.build(), &SSM), pair("http://127.0.0.1:1/base", "us-east-1"));
    }
}
