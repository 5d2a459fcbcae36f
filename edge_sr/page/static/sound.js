"use strict";
// Sound of the source: Opus by WebCodecs where the page is a secure context, else plain samples.
// Each piece is played as long after its capture as the pictures are shown after theirs.

const SOUND_RATE = 48000;
const NEAR_S = 0.08; // a piece that is due so near the end of the one before follows it directly
const LATEST_MS = 1000; // that sound is held back, at most, where it comes too late
const CATCH_UP = 0.03; // ms a ms that this becomes less while nothing comes too late

class Sound {
  // delay(): ms from the capture of a picture, on the server's clock, to the screen, on the browser's
  constructor(delay) {
    this.delay = delay; this.next = 0; this.late = 0; this.played = 0;
    this.context = new AudioContext({ sampleRate: SOUND_RATE });
    this.level = this.context.createAnalyser();
    this.level.connect(this.context.destination);
    this.context.resume();
    this.open = true;
    this.connect();
  }

  connect() {
    const address = new URL(`/sound?codec=${window.AudioDecoder ? "opus" : "pcm"}`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.take(data);
    this.socket.onclose = () => { if (this.open) setTimeout(() => this.open && this.connect(), 1000); };
  }

  take(message) {
    const head = new DataView(message), taken = head.getFloat64(1, true), data = message.slice(9);
    if (head.getUint8(0) === 1) { this.decode(data, taken); return; }
    const samples = new Int16Array(data), buffer = this.context.createBuffer(2, samples.length / 2, SOUND_RATE);
    for (const channel of [0, 1]) {
      const plane = buffer.getChannelData(channel);
      for (let at = 0; at < plane.length; at += 1) plane[at] = samples[2 * at + channel] / 32768;
    }
    this.play(buffer, taken);
  }

  decode(data, taken) {
    if (!this.decoder || this.decoder.state === "closed") {
      this.decoder = new AudioDecoder({ output: (piece) => this.decoded(piece), error: (error) => console.warn(error) });
      this.decoder.configure({ codec: "opus", sampleRate: SOUND_RATE, numberOfChannels: 2 });
    }
    this.decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: taken * 1000, data }));
  }

  decoded(piece) {
    const buffer = this.context.createBuffer(2, piece.numberOfFrames, piece.sampleRate);
    for (const channel of [0, 1])
      piece.copyTo(buffer.getChannelData(channel), { planeIndex: channel, format: "f32-planar" });
    this.play(buffer, piece.timestamp / 1000);
    piece.close();
  }

  play(buffer, taken) {
    const delay = this.delay();
    if (delay === null || this.context.state !== "running") return;
    const now = this.context.currentTime;
    let at = now + (taken + delay + this.late - performance.now()) / 1000;
    if (Math.abs(at - this.next) < NEAR_S) at = this.next;
    if (at < now) { // it came too late: from here on all is played a little later
      this.late = Math.min(this.late + (now - at) * 1000 + 20, LATEST_MS);
      at = Math.max(now, this.next);
    } else this.late = Math.max(0, this.late - buffer.duration * 1000 * CATCH_UP);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.level);
    source.start(at);
    this.next = at + buffer.duration;
    this.played += 1;
  }

  close() {
    this.open = false;
    this.socket.close();
    if (this.decoder && this.decoder.state !== "closed") this.decoder.close();
    this.context.close();
  }
}
