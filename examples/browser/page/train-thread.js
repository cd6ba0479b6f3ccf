// A further thread of training.
import 'gatefold/train-worker';
