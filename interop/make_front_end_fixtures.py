"""Log-mel and MFCC features of the real librosa: fixtures/front-end/<name>.json

    pip install librosa && python interop/make_front_end_fixtures.py

Each file holds samples, the options of a Gatefold front end and librosa's features, frame by frame. librosa centres the window
within the transform; here frame t begins where its window does.
"""

import json
from pathlib import Path

import librosa
import numpy as np
import scipy.fft

out = Path(__file__).resolve().parent.parent / "fixtures" / "front-end"
out.mkdir(exist_ok=True)
rng = np.random.default_rng(3)


def signal(rate, count):
    """A rising tone, a steady one, noise, and silence at the end."""
    t = np.arange(count) / rate
    x = 0.4 * np.sin(2 * np.pi * (200 + 1500 * t * rate / count) * t) + 0.2 * np.sin(2 * np.pi * 0.31 * rate * t)
    x += 0.02 * rng.standard_normal(count)
    x[-count // 5 :] = 0
    return np.round(x * 32767).astype(int)


def case(name, count, *, sampleRate, window, hop, fft, melBands, lowest, highest, melScale, melNorm, floor, coefficients=None):
    samples = signal(sampleRate, count)
    x = samples / 32768
    mel = librosa.feature.melspectrogram(
        y=np.concatenate([np.zeros((fft - window) // 2), x, np.zeros(fft)]),
        sr=sampleRate,
        n_fft=fft,
        hop_length=hop,
        win_length=window,
        window="hann",
        center=False,
        power=2.0,
        n_mels=melBands,
        fmin=lowest,
        fmax=highest,
        htk=melScale == "htk",
        norm="slaney" if melNorm == "area" else None,
        dtype=np.float64,
    )
    frames = 1 + (count - window) // hop
    features = np.log(np.maximum(mel[:, :frames], floor))
    options = dict(sampleRate=sampleRate, window=window, hop=hop, fft=fft, melBands=melBands, lowest=lowest, highest=highest)
    options.update(melScale=melScale, melNorm=melNorm, floor=floor)
    if coefficients is not None:
        features = scipy.fft.dct(features, axis=0, type=2, norm="ortho")[:coefficients]
        options["coefficients"] = coefficients
    data = dict(options=options, samples=samples.tolist(), features=[[float(f"{v:.7g}") for v in row] for row in features.T])
    (out / f"{name}.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")


speech = dict(sampleRate=16000, window=400, hop=160, fft=512, lowest=20, highest=7600, floor=1e-6)
case("htk-log-mel", 3000, **speech, melBands=40, melScale="htk", melNorm="peak")
case("htk-mfcc", 3000, **speech, melBands=26, melScale="htk", melNorm="peak", coefficients=13)
slaney = dict(sampleRate=8000, window=256, hop=300, fft=256, lowest=0, highest=4000, floor=1e-10)
case("slaney-log-mel", 2400, **slaney, melBands=20, melScale="slaney", melNorm="area")
case("slaney-mfcc", 2400, **slaney, melBands=24, melScale="slaney", melNorm="area", coefficients=12)
print("librosa", librosa.__version__, *sorted(path.name for path in out.iterdir()))
