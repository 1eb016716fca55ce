// Package bench measures what the media plane costs: internal/media and
// internal/rtprecorder through their public API, without signalling.
//
// Every measurement has three processes: the generator, which is all telephones
// and the recorder; the subject, which relays; and the one that starts them and
// does the sums. A subject is the media plane, or a bare loop over the same kind
// of sockets that does the work of a packet (one receive, one send, one copy for
// a recorder) and none of the checks: what no relay over such sockets can be
// much better than. Or it is rtpengine, told over its NG protocol to relay the
// same calls and to copy both parties: what others use. A subject that did less
// than was asked for is an error and no measurement.
//
// Subjects are measured in turn, in one run, because only their ratio means
// something on another machine.
package bench
