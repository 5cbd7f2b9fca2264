//! A hundred thousand who want to follow one log.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::{StreamExt, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Answer, MOST_MEMORY, Overloaded, all_slots_ran, ask, lateness, text};

const FOLLOWERS: usize = 100_000;

/// With these the daemon serves the most connections that it ever does.
const DESCRIPTORS: usize = 4096;
const CONNECTIONS: usize = 1024;

/// Opened at once: more than are served and told to come back together. The system's queue has a place for each,
/// else they would wait seconds for their next try to get in.
const AT_ONCE: usize = 1500;

/// Descriptors of this process that are for other things, and for those who follow.
const OTHERS: usize = 500 + CONNECTIONS / 2;

/// Long enough for any machine; only a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(900);

/// What became of one. Whoever has a stream has not left.
enum Follower {
    Follows {
        _stream: TcpStream,
    },
    Refused {
        answer: Answer,
        _stream: TcpStream,
    },
    /// Ended without a word, in order.
    Closed {
        _stream: TcpStream,
    },
    /// Reset before a word of an answer. Who says nothing for two seconds while all places are taken is sent away;
    /// on a busy machine a request may come that late, and cross with the end.
    Crossed,
    Broken(String),
}

impl Follower {
    /// One more, from an address of its own: one address has not enough ports for all.
    async fn comes(number: usize, address: SocketAddr, request: &[u8]) -> Self {
        match Self::asks(number, address, request).await {
            Ok(follower) => follower,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Self::Crossed,
            Err(error) => Self::Broken(error.to_string()),
        }
    }

    async fn asks(number: usize, address: SocketAddr, request: &[u8]) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        let host = u8::try_from(2 + number % 100).unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
        let mut stream = socket.connect(address).await?;
        stream.write_all(request).await?;
        let mut bytes = vec![0; 12];
        match stream.read(&mut bytes[..1]).await? {
            0 => return Ok(Self::Closed { _stream: stream }),
            _ => stream.read_exact(&mut bytes[1..]).await?,
        };
        if bytes == b"HTTP/1.1 200" {
            return Ok(Self::Follows { _stream: stream });
        }
        stream.read_to_end(&mut bytes).await?;
        match Answer::of(&bytes) {
            Some(answer) => Ok(Self::Refused { answer, _stream: stream }),
            None => Ok(Self::Broken(text(&bytes))),
        }
    }
}

/// As many descriptors as they need, or as this process may have.
fn descriptors() -> usize {
    let wanted = Some((FOLLOWERS + OTHERS) as u64);
    if setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: wanted }).is_err() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    }
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |most| usize::try_from(most).unwrap())
}

#[test]
#[ignore = "takes some minutes, and a hundred thousand descriptors"]
fn of_a_hundred_thousand_followers_each_follows_or_is_told_to_come_back() {
    let world = Overloaded::new(DESCRIPTORS);
    let wave = (descriptors() - OTHERS).min(FOLLOWERS);
    let address = world.address;
    let follow = world.request(&format!("GET /v1/apps/work/tasks/{}/logs?follow=true", world.sleeper), "");
    let live = world.request("GET /livez", "");
    let before = world.memory();
    let (mut following, mut held, mut broken) = (Vec::new(), 0, Vec::new());
    let (mut refused, mut closed, mut crossed) = (0, 0, 0);
    for begin in (0..FOLLOWERS).step_by(wave) {
        let numbers = begin..(begin + wave).min(FOLLOWERS);
        let all = stream::iter(numbers).map(|number| Follower::comes(number, address, &follow));
        let all = all.buffer_unordered(AT_ONCE).collect::<Vec<_>>();
        let all = world.runtime.block_on(async { tokio::time::timeout(PATIENCE, all).await });
        // Nobody leaves before all of a wave are counted.
        let all = all.expect("all are answered");
        held = held.max(following.len() + all.len());
        for follower in &all {
            match follower {
                Follower::Follows { .. } => {}
                Follower::Refused { answer, .. } => {
                    assert!(answer.is_polite(), "{}\n{}", answer.head, answer.body);
                    refused += 1;
                }
                Follower::Closed { .. } => closed += 1,
                Follower::Crossed => crossed += 1,
                Follower::Broken(how) => broken.push(how.clone()),
            }
        }
        following.extend(all.into_iter().filter(|follower| matches!(follower, Follower::Follows { .. })));
        let answer = world.runtime.block_on(ask(address, &live)).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    }
    let memory = world.memory();
    println!(
        "{FOLLOWERS} followers, {held} of them held open at once: {} follow, {refused} told to come back, {closed} \
         closed, {crossed} as they asked, {} broken off {:?}; memory {} -> {} MiB",
        following.len(),
        broken.len(),
        broken.first(),
        before >> 10,
        memory >> 10,
    );
    assert!(broken.is_empty());
    assert!(closed + crossed <= FOLLOWERS / 200);
    assert_eq!(following.len(), CONNECTIONS / 2);
    assert!(memory < MOST_MEMORY, "{memory} KiB");

    // It is full, and slots are taken as ever.
    world.next_slot();
    let one_more = || world.runtime.block_on(Follower::comes(0, address, &follow));
    assert!(matches!(one_more(), Follower::Refused { answer, .. } if answer.is_polite()));
    drop(following);
    world
        .place
        .until("a place for a new follower", || matches!(one_more(), Follower::Follows { .. }).then_some(()));
    let (_place, store) = world.store();
    let slots = all_slots_ran(&store);
    let late = lateness(&store);
    println!(
        "{slots} slots, late by {} ms (median), {} ms (p99), {} ms (most)",
        late[late.len() / 2],
        late[late.len() * 99 / 100],
        late[late.len() - 1],
    );
}
