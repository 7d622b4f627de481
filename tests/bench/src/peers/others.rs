//! The other services, each with one credential and as little else as it can have.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::service::{Service, free_port};

pub(super) fn openbao_name(cached: bool) -> &'static str {
    if cached {
        "OpenBao"
    } else {
        "OpenBao, no cache"
    }
}

/// Starts OpenBao on its integrated storage (Raft with one node, a BoltDB file), which is the only one that it has
/// outside of its heap and without another server. A verification is a token's look-up of itself.
pub(super) async fn openbao(
    program: &str,
    folder: &Path,
    cached: bool,
) -> Result<Service, Box<dyn Error>> {
    let (port, cluster) = (free_port()?, free_port()?);
    let data = fresh(folder)?.join("data");
    fs::create_dir(&data)?;
    let config = json!({
        "storage": {"raft": {"path": data, "node_id": "bench"}},
        "listener": {"tcp": {
            "address": format!("127.0.0.1:{port}"),
            "cluster_address": format!("127.0.0.1:{cluster}"),
            "tls_disable": true,
        }},
        "api_addr": format!("http://127.0.0.1:{port}"),
        "cluster_addr": format!("http://127.0.0.1:{cluster}"),
        "disable_cache": !cached,
        "log_level": "error",
    });
    let process = vault(program, folder, &config, &["server", "-config=config.json"])?;
    let service = Service::started(process, format!("127.0.0.1:{port}")).await?;
    unsealed(service).await
}

/// Starts RustyVault, whose API is that of Vault too, with files as its storage.
pub(super) async fn rusty_vault(program: &str, folder: &Path) -> Result<Service, Box<dyn Error>> {
    let port = free_port()?;
    let data = fresh(folder)?.join("data");
    let config = json!({
        "storage": {"file": {"path": data}},
        "listener": {"tcp": {"address": format!("127.0.0.1:{port}"), "tls_disable": true}},
        "api_addr": format!("http://127.0.0.1:{port}"),
        "log_level": "error",
        "work_dir": folder,
        "pid_file": folder.join("pid"),
    });
    let process = vault(
        program,
        folder,
        &config,
        &["server", "--config", "config.json"],
    )?;
    let service = Service::started(process, format!("127.0.0.1:{port}")).await?;
    unsealed(service).await
}

/// Empties a folder.
fn fresh(folder: &Path) -> Result<&Path, Box<dyn Error>> {
    // There may be none yet.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    Ok(folder)
}

fn vault(
    program: &str,
    folder: &Path,
    config: &Value,
    arguments: &[&str],
) -> Result<Child, Box<dyn Error>> {
    fs::write(folder.join("config.json"), config.to_string())?;
    let log = fs::File::create(folder.join("log"))?;
    let process = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    Ok(process)
}

/// Initializes a vault and creates a token that may look itself up.
async fn unsealed(service: Service) -> Result<Service, Box<dyn Error>> {
    let text = |value: &Value, path: &str| {
        let found = value.pointer(path).and_then(Value::as_str);
        found
            .map(str::to_owned)
            .ok_or_else(|| format!("{value} has no {path}"))
    };
    let shares = r#"{"secret_shares": 1, "secret_threshold": 1}"#;
    let init = service.request("PUT", "/v1/sys/init", "", shares);
    let init = service.ask_until_ready(&init).await?;
    let key = json!({"key": text(&init, "/keys/0")?}).to_string();
    let unseal = service.request("PUT", "/v1/sys/unseal", "", &key);
    service.ask(&unseal).await?;
    let root = format!("x-vault-token: {}\r\n", text(&init, "/root_token")?);
    let wanted = r#"{"policies": ["default"], "ttl": "24h", "no_parent": true}"#;
    let create = service.request("POST", "/v1/auth/token/create", &root, wanted);
    let created = service.ask_until_ready(&create).await?;
    let token = text(&created, "/auth/client_token")?;
    let header = format!("x-vault-token: {token}\r\n");
    let request = service.request("GET", "/v1/auth/token/lookup-self", &header, "");
    Ok(service.verified_by(request, format!(r#""id":"{token}""#)))
}

/// Starts better-auth's server in Node.js, whose store is a SQLite file.
pub(super) async fn better_auth(
    command: &[String],
    folder: &Path,
) -> Result<Service, Box<dyn Error>> {
    let port = free_port()?;
    let (program, arguments) = command.split_first().ok_or("no program")?;
    let mut process = Command::new(program)
        .args(arguments)
        .arg(fresh(folder)?)
        .arg(port.to_string())
        .env_clear()
        .env("NODE_ENV", "production")
        .env("HOME", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = process.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let service = Service::started(process, format!("127.0.0.1:{port}")).await?;
    let made: Value = serde_json::from_str(&line)?;
    let of = |name: &str| made.get(name).and_then(Value::as_str).ok_or("no key");
    let body = json!({"key": of("key")?}).to_string();
    let request = service.request("POST", "/", "", &body);
    let proof = format!(r#""id":"{}""#, of("id")?);
    Ok(service.verified_by(request, proof))
}
