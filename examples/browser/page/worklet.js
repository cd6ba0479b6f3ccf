import { createSession, readGatefold } from '@gatefold/runtime';

/** Reads the model and makes its session synchronously on the audio thread, then takes one step per render quantum. */
class GatefoldProcessor extends AudioWorkletProcessor {
  constructor({ processorOptions: { model, rows } }) {
    super();
    this.session = createSession(readGatefold(new Uint8Array(model)));
    this.stream = this.session.stream();
    this.rows = rows;
    this.at = 0;
  }

  process(_inputs, outputs) {
    if (this.at >= this.rows.length) return false;
    const digit = this.stream.step(Float32Array.from(this.rows[this.at++]));
    // Something to hear: the probability of the first class, as a level.
    outputs[0][0].fill(digit[0]);
    if (this.at === this.rows.length)
      this.port.postMessage({ engine: this.session.engine.name, digit: Array.from(digit) });
    return true;
  }
}

registerProcessor('gatefold', GatefoldProcessor);
