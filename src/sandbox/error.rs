//! Why a sandbox could not start.

use std::io;
use std::path::PathBuf;

/// A sandbox that does not start: nothing of it is left running.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A value of the specification is out of its range; every problem is listed.
    #[error("the sandbox's functions are not valid: {}", problems.join("; "))]
    Invalid {
        /// One sentence a problem, each naming its function.
        problems: Vec<String>,
    },
    /// A function's program or code is not there.
    #[error("function `{function}` can not start: `{}` {problem}", path.display())]
    Missing {
        /// The function.
        function: String,
        /// What was looked for.
        path: PathBuf,
        /// What is wrong with it, such as `does not exist`.
        problem: &'static str,
    },
    /// The Python interpreter could not be asked for Lambda's runtime client.
    #[error("function `{function}` can not start: failed to run the Python interpreter `{}`", python.display())]
    Python {
        /// The function.
        function: String,
        /// The interpreter.
        python: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The Python interpreter lacks Lambda's runtime client.
    #[error(
        "function `{function}` can not start: `{0}` has no module `awslambdaric`; install it with `{0} -m pip install \
         awslambdaric=={version}`, or name an interpreter that has it in GAMEDAY_PYTHON",
        python.display()
    )]
    RuntimeClient {
        /// The function.
        function: String,
        /// The interpreter.
        python: PathBuf,
        /// The version that the sandbox was tried with.
        version: &'static str,
    },
    /// A port could not be listened on.
    #[error("failed to listen on 127.0.0.1:{port}")]
    Listen {
        /// The port; 0 stands for any free one.
        port: u16,
        /// Why, most often because another program holds it.
        #[source]
        source: io::Error,
    },
}
