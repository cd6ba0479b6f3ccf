import type { Dataset } from 'gatefold';

/**
 * The official 60,000 training or 10,000 test images of MNIST; `shifted` are the training images, moved by up to two pixels,
 * `shifted3` three times each.
 */
export default function digits(split?: 'train' | 'shifted' | 'shifted3' | 'test'): Dataset;
