use data_encoding::HEXLOWER;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sha2::{Digest, Sha256};

use super::labels;
use crate::app::security_group::{Destination, Ports, Protocol, Rule};
use crate::app::{App, SecurityGroup};
use crate::config::{Config, Settings};
use crate::executor::{label, security_group_label};

/// The NetworkPolicies of the groups that `app` names, in its order.
pub fn network_policies(config: &Config, app: &App) -> Vec<NetworkPolicy> {
    let groups = app.security_groups.iter().filter_map(|name| config.security_groups.get_key_value(name));
    groups.map(|(name, group)| network_policy(&config.settings, name, group)).collect()
}

/// The NetworkPolicy that lets the tasks of every App that names the group reach what its rules allow, and
/// nothing else. Groups add up, as policies do.
pub fn network_policy(settings: &Settings, name: &str, group: &SecurityGroup) -> NetworkPolicy {
    // Pods inherit the labels of their run. `managed-by` is not among these: Tekton puts its own there.
    let selected = [
        (label::INSTANCE.to_owned(), settings.instance.clone()),
        (security_group_label(name), "bound".to_owned()),
    ];
    NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(object_name(&settings.instance, name)),
            namespace: Some(settings.namespace.clone()),
            labels: Some(labels(&settings.instance)),
            ..ObjectMeta::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(selected.into()),
                match_expressions: None,
            }),
            policy_types: Some(vec!["Egress".to_owned()]),
            egress: Some(group.rules.iter().map(egress).collect()),
            ingress: None,
        }),
    }
}

fn egress(rule: &Rule) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { to: Some(peers(&rule.destination)), ports: ports(&rule.protocol) }
}

fn peers(destination: &Destination) -> Vec<NetworkPolicyPeer> {
    let block = |cidr: String| IPBlock { cidr, except: None };
    let peer = |cidr| NetworkPolicyPeer { ip_block: Some(block(cidr)), ..NetworkPolicyPeer::default() };
    destination.blocks().iter().map(|block| peer(block.to_string())).collect()
}

/// None is every port of every protocol.
fn ports(protocol: &Protocol) -> Option<Vec<NetworkPolicyPort>> {
    let of = |protocol: &str, ports: &Ports| {
        let port = |(first, last): &(u16, u16)| NetworkPolicyPort {
            protocol: Some(protocol.to_owned()),
            port: Some(IntOrString::Int(i32::from(*first))),
            end_port: (first != last).then(|| i32::from(*last)),
        };
        Some(ports.ranges().iter().map(port).collect())
    };
    match protocol {
        Protocol::Tcp(ports) => of("TCP", ports),
        Protocol::Udp(ports) => of("UDP", ports),
        Protocol::All => None,
    }
}

/// A group may be called `public_networks`, an object may not: what had to be replaced is told apart by a hash.
fn object_name(instance: &str, group: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = group.chars().map(plain).collect();
    match name == group {
        true => format!("tekcron-{instance}-{name}"),
        false => {
            let hash = HEXLOWER.encode(&Sha256::digest(group)[..4]);
            format!("tekcron-{instance}-{name}-{hash}")
        }
    }
}
