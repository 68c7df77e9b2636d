//! Apache, as laboratories have it: before the service with TLS and HTTP/2, or between as a proxy.

use super::tls::Identity;
use super::{HANGS_AFTER, Workshop};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Where Debian's apache2-bin puts it.
const PROGRAM: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";

/// It listens until it is dropped.
pub struct Apache {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Apache {
    pub fn is_there() -> bool {
        Path::new(PROGRAM).is_file()
    }

    /// With TLS, by HTTP/2 and 1.1, before a plain service on loopback.
    pub fn before(workshop: &Workshop, identity: &Identity, inner_port: u16) -> Apache {
        let [certificate, key] = identity.write(workshop);
        let (certificate, key) = (certificate.display(), key.display());
        Apache::start(
            workshop,
            &["ssl", "http2", "proxy", "proxy_http"],
            &format!(
                "Protocols h2 http/1.1\nSSLEngine on\nSSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}\n\
                 ProxyPass / http://127.0.0.1:{inner_port}/ nocanon\n"
            ),
        )
    }

    /// A proxy that tunnels to one port, for users of its file: `user:{SHA}` and the password's SHA-1 in base64.
    pub fn proxy(workshop: &Workshop, users: &str, allowed_port: u16) -> Apache {
        let users = workshop.write("users", users);
        let users = users.display();
        Apache::start(
            workshop,
            &["proxy", "proxy_connect", "auth_basic", "authn_core", "authn_file", "authz_user"],
            &format!(
                "ProxyRequests On\nAllowCONNECT {allowed_port}\n<Proxy *>\nAuthType Basic\nAuthName test\nAuthUserFile {users}\n\
                 Require valid-user\n</Proxy>\n"
            ),
        )
    }

    fn start(workshop: &Workshop, modules: &[&str], more: &str) -> Apache {
        let folder = workshop.path().join("apache");
        std::fs::create_dir(&folder).expect("target can be written");
        // Apache takes no port 0: one that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port on loopback").port();
        let shown = folder.display();
        let mut config = format!(
            "ServerRoot {shown}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {shown}/pid\nErrorLog {shown}/error.log\n\
             LoadModule mpm_event_module {MODULES}/mod_mpm_event.so\nLoadModule authz_core_module {MODULES}/mod_authz_core.so\n"
        );
        for module in modules {
            config.push_str(&format!("LoadModule {module}_module {MODULES}/mod_{module}.so\n"));
        }
        // It will not run as root; others run it as themselves.
        config.push_str("User www-data\nGroup www-data\nStartServers 1\n");
        config.push_str("LogFormat \"%H %m %U %>s\" short\nCustomLog access.log short\n");
        config.push_str(more);
        let config = workshop.write("apache.conf", &config);
        let mut command = Command::new(PROGRAM);
        command.args(["-D", "FOREGROUND", "-f"]).arg(config);
        let apache = Apache { child: command.spawn().expect("it can be started"), port, folder };
        let end = Instant::now() + HANGS_AFTER;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "Apache does not listen: {}", apache.log("error.log"));
            std::thread::sleep(Duration::from_millis(10)); // There is nothing to wait on.
        }
        apache
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Protocol, method, path and status of each request so far.
    pub fn requests(&self) -> Vec<String> {
        self.log("access.log").lines().map(String::from).collect()
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // SAFETY: kill takes any numbers; the process is our own child, which has not been waited for. It ends its own.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let _ = self.child.wait();
    }
}
