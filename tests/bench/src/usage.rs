//! What a process has used, as the kernel says it.

use std::error::Error;
use std::fs;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;

/// The processor time that all threads of a process have used, in user and kernel mode. The kernel rounds to 10 ms.
///
/// # Errors
/// There is no such process.
pub fn processor_time(process: u32) -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    ticks(&stat)
        .map(|ticks| Duration::from_secs_f64(ticks / clock_ticks_per_second() as f64))
        .ok_or_else(|| format!("the kernel says nothing about the time of {process}").into())
}

/// The fields `utime` and `stime` together. They are counted from the end of the name, which may have spaces.
fn ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse::<u32>);
    let (user, kernel) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(f64::from(user) + f64::from(kernel))
}

/// The processor time of several processes together.
///
/// # Errors
/// As [`processor_time`].
pub fn processor_times(processes: &[u32]) -> Result<Duration, Box<dyn Error>> {
    processes.iter().copied().map(processor_time).sum()
}

/// The peak memory of a process, in MiB.
///
/// # Errors
/// There is no such process.
pub fn peak_memory(process: u32) -> Result<f64, Box<dyn Error>> {
    memory(process, "VmHWM:")
}

/// The memory of a process now, in MiB, without the pages of its program: what it has allocated and touched.
///
/// # Errors
/// There is no such process.
pub fn own_memory(process: u32) -> Result<f64, Box<dyn Error>> {
    memory(process, "RssAnon:")
}

fn memory(process: u32, name: &str) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))
        .ok_or_else(|| format!("the kernel says nothing about the memory of {process}"))?;
    Ok(kib.trim().parse::<f64>()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 30 12 5 5 20 0 1 0 300 1 2";
        assert_eq!(ticks(stat).map(f64::to_bits), Some(42.0_f64.to_bits()));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let this = std::process::id();
        assert!(processor_time(this).is_ok());
        let (now, peak) = (own_memory(this).unwrap(), peak_memory(this).unwrap());
        assert!(now > 0.0 && peak > now, "{now} of {peak} MiB");
    }
}
