// SPDX-License-Identifier: Apache-2.0

// GuestChannel: what the agent in a guest and the collector on its host say to each other. No I/O.
//
// A connection carries frames in both directions (`FrameDecoder`), each with one message (`AgentMessage`,
// `CollectorMessage`). The messages are Protocol Buffers, described in docs/guest_channel.proto and encoded here by hand
// (`ProtobufWriter`, `ProtobufReader`), because the agent has to be small. `AgentSession` is the agent's end as a state
// machine; `GuestCollector` has the other.
//
// - The agent numbers its records from 1 within a session, which it identifies by 16 random bytes. The collector
//   acknowledges the number up to which all records are stored. What is not acknowledged is sent again on the next
//   connection, and what is stored already is dropped by the collector.
// - A number that is missing is a record that the agent had to drop: the loss is exactly the numbers between.
// - A virtio-serial port is one byte stream for the life of the VM, whatever programs open it. So frames can be found
//   again after a fragment of one, and a hello begins the conversation anew at any time.
