import type { Dataset } from 'gatefold';

/** The official 60,000 training or 10,000 test images of MNIST. */
export default function digits(split?: 'train' | 'test'): Dataset;
