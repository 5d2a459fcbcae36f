"use strict";
// Pictures from the server: one WebSocket; H.264 by WebCodecs where the page is a secure context,
// else by Media Source, else JPEG. Every picture is reported back once it is on the screen.

const CODECS = ["h264", "mp4", "jpeg"];
const LATE_S = 0.03; // that Media Source may lag behind its newest frame
const STANDS_S = 2; // how long the newest frame lasts, unless another one comes

class Transport {
  // onPicture(source, head): an image of size head.size, valid until the next call
  // onState(text): "" while pictures come
  constructor(onPicture, onState) {
    this.onPicture = onPicture; this.onState = onState;
    this.codec = this.firstCodec(); this.wanted = null; this.bytes = 0;
    this.delays = []; // ms from the capture of each of the last pictures to the screen, on two clocks
    this.socket = null; this.heads = new Map(); this.decoder = null; this.media = null;
    this.connect();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.ask(this.wanted); });
  }

  firstCodec() {
    const forced = new URLSearchParams(location.search).get("codec");
    if (CODECS.includes(forced)) return forced;
    if (window.VideoDecoder) return "h264";
    return this.hasMedia() ? "mp4" : "jpeg";
  }

  hasMedia() { return Boolean(window.MediaSource && MediaSource.isTypeSupported('video/mp4; codecs="avc1.640028"')); }

  connect() {
    const address = new URL("/watch", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = this.socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this.onState(""); this.ask(this.wanted); };
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.refused(JSON.parse(data)) : this.take(data));
    socket.onclose = (event) => {
      this.onState(event.code === 1013 ? "too many browsers watch already" : "no answer from edge-sr");
      setTimeout(() => this.connect(), 1000);
    };
  }

  ask(wanted) {
    this.wanted = wanted;
    if (!wanted || this.socket.readyState !== 1) return;
    this.socket.send(JSON.stringify({ ...wanted, codec: this.codec }));
  }

  refused({ error }) {
    if (this.codec !== "jpeg" && error.startsWith("page:")) this.fallBack();
    else this.onState(error);
  }

  fallBack() {
    this.close();
    this.codec = this.codec === "h264" && this.hasMedia() ? "mp4" : "jpeg";
    this.ask(this.wanted);
  }

  close() {
    if (this.decoder && this.decoder.state !== "closed") this.decoder.close();
    this.decoder = null; this.ready = "";
    if (this.media) this.media.close();
    this.media = null; this.heads.clear();
  }

  shown(number) { if (this.socket.readyState === 1) this.socket.send(`{"shown":${number}}`); }

  take(buffer) {
    const length = new DataView(buffer).getUint32(0);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    const data = new Uint8Array(buffer, 4 + length);
    this.bytes += buffer.byteLength;
    try {
      if (head.kind === "jpeg") this.takeJpeg(head, data);
      else if (head.kind === "h264") this.takeUnit(head, data);
      else this.takeFragment(head, data);
    } catch (error) { console.warn(error); this.fallBack(); }
  }

  async takeJpeg(head, data) {
    const picture = await createImageBitmap(new Blob([data], { type: "image/jpeg" }));
    this.show(picture, head);
  }

  takeUnit(head, data) {
    if (!this.decoder || this.decoder.state === "closed") {
      this.ready = "";
      this.decoder = new VideoDecoder({
        output: (frame) => this.showAt(frame, Math.round(frame.timestamp / 1000)),
        error: (error) => { console.warn(error); this.fallBack(); },
      });
    }
    const config = `${head.codec} ${head.size}`;
    if (head.key && this.ready !== config) {
      this.decoder.configure({ codec: head.codec, optimizeForLatency: true });
      this.ready = config;
    }
    if (!this.ready) { this.shown(head.number); return; }
    this.heads.set(head.time, head);
    this.decoder.decode(new EncodedVideoChunk({ type: head.key ? "key" : "delta", timestamp: head.time * 1000, data }));
  }

  takeFragment(head, data) {
    if (!this.media) this.media = new MediaPlayer(head.codec, (video, ms) => this.showAt(video, ms), () => this.fallBack());
    this.heads.set(head.time, head);
    this.socket.send(`{"got":${head.number}}`); // Media Source wants frames ahead of what it shows
    this.media.append(data);
  }

  showAt(source, time) {
    const head = this.heads.get(time);
    for (const key of this.heads.keys()) if (key <= time) this.heads.delete(key);
    if (head) this.show(source, head);
    else if (source.close) source.close();
  }

  show(source, head) {
    this.onPicture(source, head);
    requestAnimationFrame(() => this.shown(head.number)); // after the frame that it was drawn in
    if (head.taken === null) return;
    this.delays.push(performance.now() - head.taken);
    if (this.delays.length > 25) this.delays.shift();
  }

  delay() { // the median
    const sorted = [...this.delays].sort((one, other) => one - other);
    return sorted.length ? sorted[sorted.length >> 1] : null;
  }
}

class MediaPlayer {
  // H.264 in a <video> behind the canvas; it never waits for more than its newest frame
  constructor(codec, onFrame, onFailure) {
    const video = this.video = document.createElement("video");
    video.muted = true; video.playsInline = true;
    document.getElementById("frame").prepend(video); // outside the page its frames come four times a second
    this.waiting = []; this.buffer = null; this.source = new MediaSource();
    this.address = URL.createObjectURL(this.source);
    video.src = this.address;
    video.onerror = onFailure;
    this.source.addEventListener("sourceopen", () => {
      if (this.source.readyState !== "open") return;
      this.buffer = this.source.addSourceBuffer(`video/mp4; codecs="${codec}"`);
      this.buffer.addEventListener("updateend", () => this.next());
      this.next();
    });
    const frame = (_now, facts) => {
      if (!this.address) return;
      onFrame(video, Math.round(facts.mediaTime * 1000));
      video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
  }

  append(data) { this.waiting.push(data); this.next(); }

  next() {
    const buffer = this.buffer, video = this.video;
    if (!buffer || buffer.updating || this.source.readyState !== "open") return;
    const ranges = buffer.buffered;
    if (ranges.length) {
      const end = ranges.end(ranges.length - 1), start = ranges.start(ranges.length - 1);
      const late = end - STANDS_S - video.currentTime; // behind the beginning of the newest frame
      if (video.currentTime < start || late > 0.5) video.currentTime = Math.max(end - STANDS_S, start);
      video.playbackRate = late > LATE_S ? 1.2 : 1;
      if (video.paused) video.play().catch(() => {});
      if (!this.waiting.length && ranges.start(0) < end - 30) { buffer.remove(0, end - 10); return; }
    }
    const data = this.waiting.shift();
    if (data) buffer.appendBuffer(data);
  }

  close() {
    URL.revokeObjectURL(this.address);
    this.address = null;
    this.video.removeAttribute("src");
    this.video.load();
    this.video.remove();
  }
}
