//! What LabVIEW calls when a VI begins, ends or is aborted.

use super::{boundary, export, rheed_stream};
use crate::codes::Code;
use crate::engine::NODES;
use std::ffi::{c_char, c_void};

export! {
    /// For LabVIEW: the procedure for Reserve on a Call Library Function Node's Callbacks tab (labview/README.md). LabVIEW calls
    /// it when the top-level VI is about to run that will come to the node. `*instance`, which LabVIEW keeps for the node,
    /// receives a number that stands for the node until it is unreserved.
    ///
    /// A node that is reserved again, by a second top-level VI, keeps its number and is unreserved as often. Starts nothing, any
    /// thread, never waits. Returns RHEED_OK, RHEED_E_ARGUMENT (NULL), RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_labview_reserve(instance: *mut *mut c_void) -> i32 {
        let node = boundary::instance(instance)?;
        boundary::output(instance, std::ptr::without_provenance_mut(NODES.reserve(node)));
        Ok(Code::Ok)
    }

    /// For LabVIEW: the procedure for Unreserve. LabVIEW calls it when the top-level VI has ended, in whatever way. When it was
    /// called as often as rheed_labview_reserve, frees, as rheed_free does, the streams that are attached to the node and that no
    /// VI has freed itself: what was taken goes on in the background, what the process leaves waits in the spool for the next.
    /// `*instance` becomes NULL then.
    ///
    /// A node that is not reserved (any more) has no streams: nothing is done. Any thread, never waits. Returns RHEED_OK,
    /// RHEED_E_ARGUMENT (`instance` is NULL, or what is there is neither NULL nor from rheed_labview_reserve), RHEED_E_FORKED,
    /// RHEED_E_INTERNAL.
    fn rheed_labview_unreserve(instance: *mut *mut c_void) -> i32 {
        let node = boundary::instance(instance)?;
        if node.number != 0 && NODES.unreserve(node.number)? {
            boundary::output(instance, std::ptr::null_mut());
        }
        Ok(Code::Ok)
    }

    /// For LabVIEW: the procedure for Abort. Does what rheed_abort does to all streams that are attached to the node: each call
    /// that waits for one of them, on any thread, returns RHEED_E_ABORTED. The frames already taken are written to the spool and
    /// stay there for the next rheed_init or rheed_resume. The streams stay attached.
    ///
    /// Any thread, never waits. Returns RHEED_OK (also where nothing is attached), RHEED_E_ARGUMENT (as for
    /// rheed_labview_unreserve), RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_labview_abort(instance: *mut *mut c_void) -> i32 {
        let node = boundary::instance(instance)?;
        if node.number != 0 {
            NODES.abort(node.number)?;
        }
        Ok(Code::Ok)
    }

    /// For LabVIEW: rheed_init and rheed_labview_attach in one call, so that there is no moment in which an aborted VI would
    /// leave the stream behind. `instance` is given by LabVIEW: a parameter of type Instance Data Pointer. All else as for
    /// rheed_init.
    ///
    /// A node that is not reserved opens nothing. Where the node is unreserved during the call, the stream that it opened is
    /// freed, and the call fails. Waits as rheed_init does. Returns what rheed_init returns, and RHEED_E_ARGUMENT (`instance` is
    /// NULL, or its node is not reserved: `message` says what to do).
    fn rheed_labview_init(
        options: *const c_char,
        stream: *mut rheed_stream,
        message: *mut c_char,
        message_size: i32,
        instance: *mut *mut c_void,
    ) -> i32 {
        let attached = |options: &str| NODES.init(options, boundary::instance(instance)?.number);
        boundary::open(options, stream, message, message_size, attached)
    }

    /// For LabVIEW: binds a stream (of rheed_init or rheed_resume) to the node that makes this call, whose callbacks then end it.
    /// `instance` is given by LabVIEW: a parameter of type Instance Data Pointer.
    ///
    /// A stream is bound to one node: the last it was attached to. Attaching it again changes nothing; freeing or finalizing it
    /// as ever remains right, and the node forgets it. Any thread, never waits. Returns RHEED_OK, RHEED_E_ARGUMENT (`instance` is
    /// NULL, or its node is not reserved: RHEED_TEXT_LAST_ERROR says what to do), RHEED_E_HANDLE, RHEED_E_FORKED,
    /// RHEED_E_INTERNAL.
    fn rheed_labview_attach(stream: rheed_stream, instance: *mut *mut c_void) -> i32 {
        NODES.attach(stream, boundary::instance(instance)?.number)?;
        Ok(Code::Ok)
    }
}
