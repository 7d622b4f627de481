//! Examples and properties of the needs.

use proptest::prelude::*;

use super::*;

fn needed(load: &Load, part: &str) -> Need {
    let all = needs(load);
    let mut found = all.iter().filter(|need| need.limit.contains(part));
    let need = found.next().unwrap();
    assert!(found.next().is_none(), "{part} is not unique");
    *need
}

#[test]
fn a_thousand_verifications_a_second_need_a_hundred_executions_beside_the_unreserved_ones() {
    let load = Load::even(1_000, 100, 10_000, 1_000_000);
    assert_eq!(needed(&load, "reserved for the authorizer").needed, 100);
    let lambda = needed(&load, "Concurrent executions");
    assert_eq!(lambda.needed, 200);
    assert!(lambda.is_met());
    let faster = Load::even(10_000, 100, 10_000, 1_000_000);
    assert!(!needed(&faster, "Concurrent executions").is_met());
    assert_eq!(needed(&load, "Throttle rate").needed, 1_100);
}

#[test]
fn midnight_needs_two_write_units_of_each_table_for_each_verification() {
    let load = Load {
        mails_per_day: 0,
        ..Load::even(5_000, 0, 10_000, 1_000_000)
    };
    for table in [
        "writes a second of a new tokens",
        "writes a second of a new audit",
    ] {
        assert_eq!(needed(&load, table).needed, 10_000);
        assert!(!needed(&load, table).is_met());
    }
    // There are no more first uses than tokens.
    let few = Load::even(5_000, 0, 10, 300);
    assert_eq!(needed(&few, "new audit table").needed, 600);
}

#[test]
fn mails_are_sent_within_eight_hours() {
    let load = Load {
        mails_per_day: 28_801,
        ..Load::even(10, 1, 50, 500)
    };
    assert_eq!(needed(&load, "Sending quota").needed, 28_801);
    assert_eq!(needed(&load, "Sending rate").needed, 2);
}

#[test]
fn the_limits_of_partitions_are_those_of_the_busiest() {
    let load = Load {
        read_units: 7,
        busiest_secret: 428,
        busiest_account: 500,
        ..Load::even(1_000, 1, 50, 500)
    };
    assert!(needed(&load, "busiest secret").is_met());
    assert!(needed(&load, "busiest account").is_met());
    let busier = Load {
        busiest_secret: 429,
        busiest_account: 501,
        ..load
    };
    assert!(!needed(&busier, "busiest secret").is_met());
    assert!(!needed(&busier, "busiest account").is_met());
}

#[test]
fn no_load_needs_no_reserved_executions() {
    let idle = Load::even(0, 0, 0, 0);
    assert_eq!(needed(&idle, "reserved for the authorizer").needed, 0);
    assert_eq!(needed(&idle, "Concurrent executions").needed, BACKGROUND);
    assert!(needs(&idle).iter().all(Need::is_met));
}

fn loads() -> impl Strategy<Value = [u64; 8]> {
    // Up to what no limit is near, and the largest numbers.
    let number = || prop_oneof![0..10_u64, 0..10_000_000_u64, Just(u64::MAX)];
    [(); 8].map(|()| number())
}

fn load(
    [
        verifications,
        management,
        accounts,
        tokens,
        mails,
        units,
        secret,
        account,
    ]: [u64; 8],
) -> Load {
    Load {
        verifications,
        management,
        accounts,
        tokens,
        mails_per_day: mails,
        read_units: units,
        busiest_secret: secret,
        busiest_account: account,
    }
}

proptest! {
    #[test]
    fn more_load_never_needs_less(of in loads(), which in 0..8_usize, more in 0..10_000_000_u64) {
        let mut larger = of;
        larger[which] = larger[which].saturating_add(more);
        let (smaller, larger) = (needs(&load(of)), needs(&load(larger)));
        for (smaller, larger) in smaller.iter().zip(&larger) {
            prop_assert_eq!(smaller.limit, larger.limit);
            prop_assert!(smaller.needed <= larger.needed, "{:?} {:?}", smaller, larger);
            prop_assert!(smaller.is_met() || !larger.is_met(), "{:?} {:?}", smaller, larger);
        }
    }

    #[test]
    fn an_even_load_is_spread_over_all(verifications: u64, management: u64, accounts: u64, tokens: u64) {
        let load = Load::even(verifications, management, accounts, tokens);
        prop_assert!(load.busiest_secret <= verifications);
        prop_assert!(u128::from(load.busiest_secret) * u128::from(tokens.max(1)) >= u128::from(verifications));
        prop_assert!(u128::from(load.busiest_account) * u128::from(accounts.max(1)) >= u128::from(verifications));
    }
}
