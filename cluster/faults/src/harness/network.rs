//! Machines with networks of their own, which can be cut off silently. They need root.

use std::process::Command;

use test_support::Random;

/// A network of machines, which are network namespaces at one bridge. This machine has an address in it too.
#[derive(Debug)]
pub struct Network {
    /// The beginning of the names of its devices.
    name: String,
    /// The beginning of its addresses.
    prefix: String,
    machines: usize,
}

/// Returns why there can be no such networks, if there can be none.
pub fn lacking() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("networks need root".into());
    }
    match Command::new("ip").arg("-V").output() {
        Ok(_) => None,
        Err(error) => Some(format!("the program `ip` is missing: {error}")),
    }
}

impl Network {
    /// Makes a network of this many machines.
    ///
    /// # Panics
    ///
    /// If the system refuses.
    pub fn new(machines: usize, random: &mut Random) -> Network {
        let name = format!("cf{:x}", random.below(1 << 24));
        // Private addresses that a machine hardly has, and only between namespaces that this function makes.
        let prefix = format!("10.{}.{}", 200 + random.below(50), random.below(256));
        let network = Network { name, prefix, machines };
        let bridge = network.bridge();
        ip(&format!("link add {bridge} type bridge"));
        ip(&format!("addr add {}/24 dev {bridge}", network.own_address()));
        ip(&format!("link set {bridge} up"));
        for machine in 0..machines {
            let (namespace, port) = (network.namespace(machine), network.port(machine));
            ip(&format!("netns add {namespace}"));
            ip(&format!("link add {port} type veth peer name eth0 netns {namespace}"));
            ip(&format!("-n {namespace} addr add {}/24 dev eth0", network.address(machine)));
            ip(&format!("-n {namespace} link set lo up"));
            ip(&format!("-n {namespace} link set eth0 up"));
            ip(&format!("link set {port} master {bridge} up"));
        }
        network
    }

    /// Returns the address of this machine, which no cut concerns.
    pub fn own_address(&self) -> String {
        format!("{}.254", self.prefix)
    }

    /// Returns the address of a machine.
    pub fn address(&self, machine: usize) -> String {
        format!("{}.{}", self.prefix, machine + 1)
    }

    /// Returns the name of the namespace of a machine.
    pub fn namespace(&self, machine: usize) -> String {
        format!("{}n{machine}", self.name)
    }

    /// Cuts a machine off. Nothing tells either side: packets are lost.
    pub fn cut(&self, machine: usize) {
        ip(&format!("link set {} nomaster", self.port(machine)));
    }

    /// Ends the cut.
    pub fn heal(&self, machine: usize) {
        ip(&format!("link set {} master {}", self.port(machine), self.bridge()));
    }

    fn bridge(&self) -> String {
        format!("{}b", self.name)
    }

    fn port(&self, machine: usize) -> String {
        format!("{}p{machine}", self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Removing a namespace removes its devices and their other ends. What is left is of no use to anyone.
        for machine in 0..self.machines {
            let _ = Command::new("ip").args(["netns", "del", &self.namespace(machine)]).output();
        }
        let _ = Command::new("ip").args(["link", "del", &self.bridge()]).output();
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("the program `ip` is there");
    assert!(output.status.success(), "`ip {arguments}`: {}", String::from_utf8_lossy(&output.stderr));
}
